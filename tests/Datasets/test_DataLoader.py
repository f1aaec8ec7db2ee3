"""The cache of a loader: when it is used, when it is written, and what happens if it cannot be."""

import functools
import gc
import hashlib
import os
import resource
import time
import tracemalloc

import h5py
import numpy as np
import pytest

from minidl import Config
from minidl.Datasets import DatasetError, MnistLoader
from minidl.Datasets.DataLoader import DataLoader
from tests.Datasets.Files import idx, writeMnist

trainLabels = "train-labels-idx1-ubyte"


@pytest.fixture
def folder(tmp_path, rng):
    writeMnist(tmp_path, rng, shape=(4, 4))
    return tmp_path


@pytest.fixture
def told(monkeypatch):
    """The lines of the log."""
    lines = []
    monkeypatch.setattr(Config.getLogger(), "info", lines.append)
    return lines


def load(folder, loader=None, **options):
    """Data and labels in host memory."""
    loader = loader or MnistLoader()
    arrays = [dataset[:] for dataset in loader.load(folder, **options)]
    loader.close()
    return arrays


def halved(sample):
    return sample[:, :2] / 2


def assertSame(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_cache_is_written_once_beside_the_files(folder, told):
    first = load(folder)
    stamp = (folder / "mnist.hdf").stat().st_mtime_ns
    second = load(folder)

    assertSame(first, second)
    assert (folder / "mnist.hdf").stat().st_mtime_ns == stamp
    assert told == [f"MnistLoader writes {folder / 'mnist.hdf'}: there is none"]
    assert len(list(folder.iterdir())) == 5


def test_log_false_tells_nothing(folder, told):
    load(folder, log=False)

    assert not told


def test_cache_is_used_without_the_files(folder, told):
    first = load(folder)
    for path in folder.glob("*ubyte"):
        path.unlink()

    assertSame(first, load(folder))
    assert len(told) == 1


def test_newer_files_make_a_new_cache(folder, told):
    load(folder)
    path = folder / trainLabels
    path.write_bytes(idx(np.full(7, 5, np.uint8)))
    os.utime(path, (time.time() + 5,) * 2)

    _, labels = load(folder)

    assert (labels[3:] == 5).all()
    assert told[1].endswith("mnist.hdf: the files have changed")


def test_files_of_another_size_make_a_new_cache_whatever_their_time(folder):
    load(folder)
    for name, array in ("labels-idx1", np.zeros(8)), ("images-idx3", np.zeros((8, 4, 4))):
        path = folder / f"train-{name}-ubyte"
        stat = path.stat()
        path.write_bytes(idx(array.astype(np.uint8)))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert len(load(folder)[1]) == 11


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: b"no h5 file",
    lambda data: data[:600],
    lambda data: data[:-1],
    lambda data: data + b"\0",
    lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
    lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
])
def test_a_damaged_cache_is_written_again(folder, told, damage):
    first = load(folder, compress=None)
    path = folder / "mnist.hdf"
    path.write_bytes(damage(path.read_bytes()))

    assertSame(first, load(folder, compress=None))
    assert told[1].endswith("mnist.hdf: it is damaged")
    load(folder)
    assert len(told) == 2


def test_an_h5_file_of_somebody_else_is_left_alone(folder):
    path = folder / "mnist.hdf"
    with h5py.File(path, "w") as file:
        file["weights"] = np.ones(3)
    before = path.read_bytes()

    with pytest.raises(DatasetError, match="is an h5 file, but not the cache of a data set: give"):
        load(folder)
    assert path.read_bytes() == before


def test_datasets_outlive_their_loader_and_its_next_cache(folder):
    loader = MnistLoader()
    data, labels = loader.load(folder)
    before = data[:]
    (folder / trainLabels).write_bytes(idx(np.arange(7, dtype=np.uint8)))
    os.utime(folder / trainLabels, (1, 1))
    _, later = loader.load(folder)
    del loader

    np.testing.assert_array_equal(data[:], before)
    assert labels[3:].tolist() != later[3:].tolist() == list(range(7))


def test_clear_closes_and_removes_the_cache(folder):
    loader = MnistLoader()
    data, _ = loader.load(folder)

    loader.clear()

    assert not data and not (folder / "mnist.hdf").exists()
    loader.clear()


def test_clear_before_any_load_does_nothing():
    MnistLoader().clear()


def test_what_is_done_to_samples_goes_into_the_cache(folder, told):
    plain, _ = load(folder)

    data, _ = load(folder, MnistLoader(onSample=halved))

    np.testing.assert_array_equal(data, plain[:, :, :2] / 2)
    assert data.dtype == np.float32 and len(told) == 2
    load(folder, MnistLoader(onSample=halved))
    assert len(told) == 2


def test_the_cache_may_stand_elsewhere(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("caches") / "new" / "own.hdf"

    load(folder, MnistLoader(cachename=path))

    assert path.is_file() and not (folder / "mnist.hdf").exists()


def test_a_cache_that_cannot_be_written_is_told_with_a_remedy(folder):
    path = folder / trainLabels / "mnist.hdf"  # a file is no folder, for root either

    with pytest.raises(DatasetError) as caught:
        load(folder, MnistLoader(cachename=path))

    assert str(caught.value).startswith(f"MnistLoader: cannot write the cache {path} (")
    assert str(caught.value).endswith(
        "give cachename=, the path of a file where there is room and leave to write")


@pytest.mark.parametrize("room", [0, 300, 2000, 5000, 20000, 31000])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, rng, room):
    writeMnist(tmp_path, rng)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DatasetError, match="MnistLoader: cannot write the cache .*too large"):
            load(tmp_path, compress=None, log=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    gc.collect()

    assert len(list(tmp_path.iterdir())) == 4
    load(tmp_path)


def test_a_cache_that_cannot_be_read_is_told(folder, monkeypatch):
    monkeypatch.setattr(h5py, "File", functools.partial(onlyWriting, h5py.File))

    with pytest.raises(DatasetError) as caught:
        load(folder)

    assert str(caught.value) == (f"MnistLoader: has written the cache {folder / 'mnist.hdf'}, but "
                                 f"it cannot be read (no locks here)")


def onlyWriting(real, path, mode, **options):
    if mode == "r":
        raise OSError("no locks here")
    return real(path, mode, **options)


def test_the_set_is_never_in_memory_as_a_whole(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("minidl.Datasets.DataLoader.pieceBytes", 2 ** 14)
    writeMnist(tmp_path, rng, shape=(512, 512), packed=True)  # 10 MB as float32
    load(tmp_path, log=False)
    (tmp_path / "mnist.hdf").unlink()

    tracemalloc.start()
    MnistLoader().load(tmp_path, log=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 6e6  # some copies of one image


def test_checksums_that_hold_are_taken(folder):
    data = (folder / trainLabels).read_bytes()

    for digest in hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest().upper():
        load(folder, checksums={trainLabels: digest})


@pytest.mark.parametrize("algorithm, digits", [("md5", 32), ("sha256", 64)])
def test_a_checksum_that_does_not_hold_is_refused_with_and_without_a_cache(
        folder, algorithm, digits):
    for _ in range(2):
        with pytest.raises(DatasetError, match=f"must have the {algorithm} 0+, has [0-9a-f]+$"):
            load(folder, checksums={trainLabels: "0" * digits})
        load(folder)


@pytest.mark.parametrize("checksums", [{trainLabels: "abc"}, {"other": "0" * 32}])
def test_a_checksum_of_nothing_is_refused(folder, checksums):
    with pytest.raises(DatasetError, match="checksums must be MD5 or SHA-256 of t10k-images"):
        load(folder, checksums=checksums)


def test_checksums_need_the_files(folder):
    load(folder)
    (folder / trainLabels).unlink()

    with pytest.raises(DatasetError, match="missing are train-labels-idx1-ubyte"):
        load(folder, checksums={trainLabels: "0" * 32})


@pytest.mark.parametrize("compress", ["lzf", 11, True])
def test_another_compression_is_refused(folder, compress):
    with pytest.raises(DatasetError, match='compress must be "gzip" or None, got'):
        load(folder, compress=compress)


@pytest.mark.parametrize("hook", ["sources", "pieces", "scaled"])
def test_a_loader_without_its_parts_says_so(hook):
    arguments = {"sources": [None], "pieces": [None, "test", False], "scaled": [None]}[hook]
    with pytest.raises(NotImplementedError, match=f"DataLoader has no {hook}"):
        getattr(DataLoader(cachename="x.hdf"), hook)(*arguments)
