import gzip
import io

import pytest

from minidl.Datasets import DatasetError
from minidl.Datasets.Source import Source, opened


@pytest.mark.parametrize("pack, size", [(bytes, 6), (gzip.compress, None)])
def test_a_file_is_read_from_front_to_back(tmp_path, pack, size):
    path = tmp_path / "any.name"
    path.write_bytes(pack(b"abcdef"))

    with opened("Loader", path) as source:
        assert source.size == size
        assert source.take(2) == b"ab" and source.take(4) == b"cdef"
        source.end()


def test_a_file_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(DatasetError, match="Loader: .* cannot be read: .*Is a directory"):
        with opened("Loader", tmp_path):
            pass


def test_a_file_that_fails_while_it_is_read_is_told():
    stream = io.BytesIO(b"abc")
    stream.read = lambda size: (_ for _ in ()).throw(OSError("the disk fails"))

    with pytest.raises(DatasetError, match="Loader: name cannot be read: the disk fails"):
        Source("Loader", "name", stream).take(3)


def test_a_file_that_ends_early_is_told_with_what_was_wanted():
    source = Source("Loader", "name", io.BytesIO(b"abcdef"))
    source.take(4)

    with pytest.raises(DatasetError, match="Loader: name must have 7 bytes, ends after 6"):
        source.take(3)
