"""A save is whole or has not happened."""

import io
import os
import stat
from pathlib import Path

import h5py
import numpy as np
import pytest

from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Linear
from tests.Case import stateOf
from tests.Processes import run


def make(seed=0):
    np.random.seed(seed)
    return Sequential("net").append(Linear(50, 40, name="lin")).append(BatchNorm(40, name="bn"))


@pytest.mark.parametrize("broken", ["fsync", "create_dataset", "create_group"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_save_that_fails_leaves_the_old_file_alone(broken, error, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error("in the middle")

    path = tmp_path / "net.hdf"
    make().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os if broken == "fsync" else h5py.Group, broken, fail)

    with pytest.raises(error, match="in the middle"):
        make(seed=1).save(path)

    assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.hdf"]


def test_a_first_save_that_fails_leaves_nothing(tmp_path):
    net = make()
    net.setAttr("unfit", object())

    with pytest.raises(TypeError):
        net.save(tmp_path / "net.hdf")

    assert os.listdir(tmp_path) == []


def test_the_new_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path):
    script = """
import os, sys
from tests.test_WeightsSaving import make
folder, events, seen = sys.argv[1], [], os.fsync
net, path = make(), os.path.join(folder, "net.hdf")
net.save(path)

def note(event, arguments):
    if event == "open" and str(arguments[0]).startswith(folder) and arguments[2] & os.O_ACCMODE:
        assert arguments[0] != path, "the file itself is opened to be written"
        events.append("write")
    if event == "os.rename":
        assert os.path.dirname(arguments[0]) == folder and str(arguments[1]) == path
        events.append("rename")

def fsync(descriptor):
    name = os.readlink(f"/proc/self/fd/{descriptor}")
    assert name == folder or os.path.getsize(name) == os.path.getsize(path)
    events.append("folder" if name == folder else "sync")
    seen(descriptor)

os.fsync = fsync
sys.addaudithook(note)
net.save(path)
print(*events)
"""
    assert run(None, "-c", script, str(tmp_path)) == ("write write sync rename folder\n", "")


def test_a_reader_of_the_old_file_goes_on_reading_it(tmp_path):
    path, net = tmp_path / "net.hdf", make()
    net.save(path)

    with open(path, "rb") as file:
        old = path.read_bytes()
        make(seed=1).save(path)
        assert file.read() == old != path.read_bytes()


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_users_mode(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        make().save(tmp_path / "net.hdf")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "net.hdf").stat().st_mode) == mode


def test_a_replaced_file_keeps_its_mode(tmp_path):
    path = tmp_path / "net.hdf"
    make().save(path)
    path.chmod(0o640)

    make(seed=1).save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_for_its_owner_alone_is_never_open_to_others(tmp_path, monkeypatch):
    path, modes, write = tmp_path / "net.hdf", [], Path.write_bytes
    make().save(path)
    path.chmod(0o600)

    def look(self, data):
        modes.append(stat.S_IMODE(self.stat().st_mode))
        write(self, data)

    monkeypatch.setattr(Path, "write_bytes", look)
    make(seed=1).save(path)

    assert modes == [0o600]


@pytest.mark.parametrize("relative", [False, True])
def test_of_a_symbolic_link_what_it_points_to_is_replaced(relative, tmp_path):
    (tmp_path / "data").mkdir()
    target, link = tmp_path / "data" / "net.hdf", tmp_path / "latest.hdf"
    link.symlink_to("data/net.hdf" if relative else target)

    for seed in range(2):  # first there is no such file yet
        make(seed).save(link)

        assert link.is_symlink() and target.is_file() and not target.is_symlink()
        assert target.read_bytes() == make(seed).save()
        assert os.listdir(tmp_path / "data") == ["net.hdf"]


def test_other_names_of_the_old_file_keep_it(tmp_path):
    path, other = tmp_path / "net.hdf", tmp_path / "kept.hdf"
    make().save(path)
    os.link(path, other)

    make(seed=1).save(path)

    assert other.read_bytes() == make().save()


def test_what_is_no_plain_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    before = sorted(os.listdir(tmp_path))

    for name in before:
        with pytest.raises(OSError, match="no plain file|symbolic links"):
            make().save(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == before
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_name_as_long_as_names_can_be(tmp_path):
    for name in ("n" * 255, "\u043d" * 127):
        make().save(tmp_path / name)
        make(seed=1).load(tmp_path / name)


def test_folders_are_made(tmp_path):
    make().save(tmp_path / "a" / "b" / "net.hdf")

    assert (tmp_path / "a" / "b" / "net.hdf").is_file()


@pytest.mark.parametrize("compress", ["gzip", None])
def test_arrays_are_compressed_where_it_pays(compress):
    net = Sequential("net").append(Linear(100, 100, name="noise")).append(
        Linear(100, 100, name="flat")).append(Linear(3, 3, name="small"))
    net["flat"].W.fill(1)
    net["small"].W.fill(1)

    with h5py.File(io.BytesIO(net.save(compress=compress))) as file:
        used = {name: file[f"params/{i[()]}"].compression for name, i in file["links"].items()}

    assert used.pop("net.flat.W") == compress and set(used.values()) == {None}


def test_no_file_stays_open(tmp_path):
    net, path = make(), tmp_path / "net.hdf"
    net.save(path)
    before = os.listdir("/proc/self/fd")

    for _ in range(5):
        net.save(path)
        net.load(path)
        net.load(net.save())

    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_the_values_of_a_module_are_not_touched(tmp_path):
    net = make()
    before = stateOf(net)

    net.save(tmp_path / "net.hdf")
    net.save()

    assert stateOf(net) == before


def test_equal_nets_give_equal_bytes():
    assert make().save() == make().save()
