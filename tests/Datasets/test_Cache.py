"""Caches that are sealed and yet not what is wanted."""

import h5py
import numpy as np
import pytest

from minidl.Datasets.Cache import Cache, blockSize, seal

names = ["data", "labels"]


@pytest.fixture
def cache(tmp_path):
    cache = Cache("Loader", tmp_path / "cache.hdf", names, "origin")
    part = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(2, np.int32)
    cache.write("gzip", {"test": [part], "train": [part, part]}.get)
    return cache


def changed(cache, change):
    """Why the cache is not taken when `change` has been done to its file, and it is sealed anew."""
    with h5py.File(cache.path, "r+") as file:
        change(file)
    block = seal(cache.path)
    with cache.path.open("r+b") as raw:
        raw.write(block)
    file, reason = cache.open()
    assert file is None
    return reason


def replaced(file, name, link):
    del file[name]
    file[name] = link


def test_what_is_written_is_read(cache):
    file, reason = cache.open()

    assert reason is None
    np.testing.assert_array_equal(file["data"][:], np.tile(np.arange(6).reshape(2, 3), (3, 1)))
    assert file["labels"].shape == (6,) and file.userblock_size == blockSize
    assert file.attrs["test"] == 2 and file.attrs["train"] == 4
    file.close()


def test_any_origin_will_do_when_none_is_known(cache):
    file, _ = Cache("Loader", cache.path, names, None).open()

    assert file
    file.close()


@pytest.mark.parametrize("change, reason", [
    (lambda file: file.attrs.modify("origin", "other"), "the files have changed"),
    (lambda file: file.attrs.create("origin", np.zeros(3)), "it cannot be read"),
    (lambda file: file.attrs.pop("test"), "it cannot be read"),
    (lambda file: file.attrs.create("test", [1, 2]), "it cannot be read"),
    (lambda file: file.attrs.modify("test", 3), "its lengths differ"),
    (lambda file: file.attrs.update(test=-1, train=7), "its lengths differ"),
    (lambda file: file["labels"].resize(5, axis=0), "its lengths differ"),
    (lambda file: file.pop("labels"), "it holds something else"),
    (lambda file: replaced(file, "labels", h5py.ExternalLink("/etc/x.hdf", "labels")),
     "it holds something else"),
    (lambda file: replaced(file, "labels", h5py.SoftLink("/data")), "it holds something else"),
])
def test_a_file_that_does_not_fit_is_not_taken(cache, change, reason):
    assert changed(cache, change).startswith(reason)


def test_data_in_other_files_is_not_read(cache):
    def referTo(file):
        del file["labels"]
        file.create_dataset("labels", (6,), np.int32, external=[("/etc/passwd", 0, 24)])

    assert changed(cache, referTo) == "it holds something else"
