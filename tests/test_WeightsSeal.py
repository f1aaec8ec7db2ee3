"""A file of weights begins with a seal, and what does not fit it is not read."""

import hashlib
import io
import logging

import h5py
import numpy as np
import pytest

from minidl import Config, Weights
from minidl.Modules import ModuleError
from minidl.Seal import Snapshot, pieceSize
from tests.Case import stateOf
from tests.Processes import run
from tests.WeightFiles import bare, changed, make, sealed


@pytest.fixture
def logged():
    """The lines that minidl logs."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    Config.getLogger().addHandler(handler)
    yield lines
    Config.getLogger().removeHandler(handler)


def refused(source, message, **options):
    net = make(seed=1)
    before = stateOf(net)
    with pytest.raises(ModuleError, match=message):
        net.load(source, **options)
    assert stateOf(net) == before


def loaded(source, **options):
    net = make(seed=1)
    net.load(source, **options)
    return stateOf(net) == stateOf(make())


def test_what_the_seal_says(tmp_path):
    make().save(tmp_path / "net.hdf")
    image = (tmp_path / "net.hdf").read_bytes()

    assert image == make().save() == sealed(image)
    lines = image[:512].rstrip(b"\0").decode().split("\n")
    assert lines == ["MINIDL1", hashlib.sha256(image[512:]).hexdigest(), str(len(image) - 512), ""]


def test_plain_h5py_opens_a_sealed_file(tmp_path):
    make().save(tmp_path / "net.hdf")

    with h5py.File(tmp_path / "net.hdf") as file:
        assert file.userblock_size == 512
        np.testing.assert_array_equal(file["params/0"], make()["lin"].W.get())


def test_a_sealed_file_logs_nothing_and_may_be_required(tmp_path, logged):
    make().save(tmp_path / "net.hdf")

    assert loaded(tmp_path / "net.hdf", requireSeal=True)
    assert loaded(make().save(), requireSeal=True)
    assert logged == []


def test_a_file_without_a_seal_logs_one_line(tmp_path, logged, monkeypatch):
    path = tmp_path / "net.hdf"
    path.write_bytes(bare(make().save()))

    assert loaded(path)
    assert logged == [f"Sequential 'net' is loaded from {path}, which has no seal: damage may stay "
                      f"unseen"]
    monkeypatch.setattr(Config, "showWarnings", False)
    assert loaded(path) and len(logged) == 1


@pytest.mark.parametrize("where", ["path", "bytes", "open"])
def test_a_seal_that_is_required_is_missed(where, tmp_path, monkeypatch):
    path = tmp_path / "net.hdf"
    path.write_bytes(bare(make().save()))
    image = path.read_bytes()
    source = {"path": path, "bytes": image, "open": io.BytesIO(image)}[where]

    refused(source, r"it has no seal: minidl.Weights.seal\(path\)", requireSeal=True)
    monkeypatch.setattr(Config, "requireSeal", True)
    refused(source, "it has no seal")
    assert loaded(source, requireSeal=False)


def test_the_seal_of_an_open_h5_file_cannot_be_checked(tmp_path):
    make().save(tmp_path / "net.hdf")

    with h5py.File(tmp_path / "net.hdf") as file:
        assert loaded(file)
        refused(file, "the seal of an open h5py file cannot be checked", requireSeal=True)


@pytest.mark.parametrize("place", [*range(0, 90, 7), 511, 512, 700, -1])
def test_one_bit_of_the_file_changed(place):
    image = bytearray(make().save())
    image[place] ^= 1

    refused(bytes(image), "it is damaged|no seal of minidl|it is no h5 file")


others = {
    "zeros": b"", "text": b"a block of another program", "old mark": b"MINIDL0\n",
    "only the mark": b"MINIDL1\n",
    "wrong sum": b"MINIDL1\n" + b"0" * 64 + b"\n",
    "data set": b"minidl data set 1\n" + b"0" * 64,
}


@pytest.mark.parametrize("block", others.values(), ids=others)
def test_a_block_that_is_no_seal(block):
    image = make().save()

    refused(block.ljust(512, b"\0") + image[512:], "no seal of minidl|it is not what was sealed")


def test_a_seal_with_a_wrong_length():
    image = make().save()
    length = str(len(image) - 512).encode()

    refused(image.replace(length, str(len(image) - 513).encode(), 1), "is not what was sealed")


def test_a_block_of_another_size():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=1024) as file:
        make().save(file)

    refused(buffer.getvalue(), "it is no h5 file")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_that_lost_its_seal_is_not_taken_for_one_without(libver):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver, userblock_size=512) as file:
        make().save(file)

    assert loaded(sealed(buffer.getvalue()))
    refused(buffer.getvalue()[512:], "it is damaged: the block before its data is gone")


def test_more_behind_the_end():
    refused(make().save() + b"\0", "it is not what was sealed")


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "net.hdf"
    make().save(path)

    with open(path, "rb") as file:
        snapshot = Snapshot(file)
        path.write_bytes(changed(lambda file: file["params/0"].write_direct(np.ones((5, 4), "f4"))))
        with pytest.raises(OSError, match="the file changes while it is read"):
            snapshot.read(10)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 600, pieceSize, pieceSize + 1, 3 * pieceSize])
def test_a_snapshot_reads_like_the_file(size, rng):
    data = rng.bytes(size)
    snapshot, buffer = Snapshot(io.BytesIO(data)), io.BytesIO(data)

    assert snapshot.seek(0, io.SEEK_END) == size
    for _ in range(50):
        place, length = rng.integers(0, size + 10, 2)
        assert snapshot.seek(place) == buffer.seek(place) == snapshot.tell()
        assert snapshot.read(length) == buffer.read(length)


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time, as it may."""

    def read(self, size=-1):
        return super().read(min(size, 1000))


def test_open_files_are_sealed_too():
    assert loaded(io.BytesIO(make().save()), requireSeal=True)
    assert loaded(Slow(make().save()), requireSeal=True)


def edited(path):
    """What an edit in h5py has written."""
    with h5py.File(path, "r+") as file:
        file["params/0"][:] = 2
    return np.full((5, 4), 2, np.float32)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("before", ["plain", "sealed"])
def test_a_file_is_sealed_after_an_edit(before, libver, tmp_path, logged):
    path, net = tmp_path / "net.hdf", make(seed=1)
    if before == "sealed":
        make().save(path)
    else:
        with h5py.File(path, "w", libver=libver) as file:
            make().save(file)
    wanted = edited(path)
    path.chmod(0o640)
    body = path.read_bytes()[512 if before == "sealed" else 0:]

    Weights.seal(path)

    assert path.read_bytes() == sealed(body) and path.stat().st_mode & 0o777 == 0o640
    net.load(path, requireSeal=True)
    assert (net["lin"].W.get() == wanted).all() and logged == []


def test_sealing_what_is_sealed_changes_nothing(tmp_path):
    make().save(tmp_path / "net.hdf")
    before = (tmp_path / "net.hdf").read_bytes()

    Weights.seal(str(tmp_path / "net.hdf"))

    assert (tmp_path / "net.hdf").read_bytes() == before


@pytest.mark.parametrize("content", [
    b"", b"\x89HDF\r\n\x1a\n", b"words" * 300, make().save()[512:]])
def test_what_is_no_h5_file_is_not_sealed(content, tmp_path):
    path = tmp_path / "net.hdf"
    path.write_bytes(content)

    with pytest.raises(ModuleError, match="cannot seal .*net.hdf: it is"):
        Weights.seal(path)
    assert path.read_bytes() == content
    with pytest.raises(ModuleError, match="there is no such file"):
        Weights.seal(tmp_path / "other.hdf")


@pytest.mark.parametrize("compress", ["gzip", None])
@pytest.mark.parametrize("kind", ["sealed", "bare"])
def test_memory_of_a_load(kind, compress, tmp_path):
    """At most 1.2 times the weights, and 64 MiB, beside the net itself."""
    script = f"""
import resource, sys
import h5py, numpy as np
from minidl import Config
from minidl.Containers import Sequential
from minidl.Modules import Linear
Config.showWarnings = False
net = Sequential("net").extend(
    Linear(1024, 1024, initscheme="none", name=str(i), useBias=False) for i in range(25))
for i, mod in enumerate(net.modules.values()):
    mod.W.fill(i)
if sys.argv[2] == "save":
    if "{kind}" == "sealed":
        net.save(sys.argv[1], compress={compress!r})
    else:
        with h5py.File(sys.argv[1], "w") as file:
            net.save(file, compress={compress!r})
else:
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    net.load({str(tmp_path / "small.hdf")!r}, strict=False)
    before = peak()
    net.load(sys.argv[1])
    assert all((mod.W.get() == i).all() for i, mod in enumerate(net.modules.values()))
    print((peak() - before) / net.paramSize("mb"))
"""
    make().save(tmp_path / "small.hdf")
    run(None, "-c", script, str(tmp_path / "net.hdf"), "save")
    growth = float(run(None, "-c", script, str(tmp_path / "net.hdf"), "load")[0])
    assert 0.9 * 2 ** 20 < growth < (1.2 + 64 / 100) * 2 ** 20


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "OSError"])
@pytest.mark.parametrize("number", [1, 3, 5, 8])
def test_an_error_that_outlives_python_does_not_crash_it(number, error):
    script = f"""
from minidl.Seal import Snapshot
from tests.WeightFiles import make

error, read, calls = {error}("kept, with all that its traceback holds"), Snapshot.readinto, []

def broken(self, buffer):
    calls.append(self)
    if len(calls) == {number}:
        raise error
    return read(self, buffer)

Snapshot.readinto = broken
try:
    make().load(make().save())
except (ValueError, KeyboardInterrupt) as raised:
    kept = raised
assert error in (kept, kept.__cause__)
"""
    assert run(script) == ("", "")
