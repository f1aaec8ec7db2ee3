"""The guard of a group, apart from modules."""

import io
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from minidl.Guarded import Guarded, Problems
from minidl.GuardedFile import WeightsError, readArrays, reading, writing
from tests.WeightFiles import make, sealed

form = (3,), np.dtype(np.float32)


@pytest.fixture
def file():
    with h5py.File(io.BytesIO(), "w") as file:
        file["numbers"] = np.arange(3, dtype=np.float32)
        file["group/numbers"] = np.arange(3, 6, dtype=np.float32)
        file["group/words"] = ["one", "two"]
        file["soft"] = h5py.SoftLink("/numbers")
        yield file


def test_reads_what_is_as_expected(file):
    problems = Problems()
    group = Guarded(file, "group", problems)

    assert group.read("numbers", *form).tolist() == [3, 4, 5] and "numbers" in group
    assert list(group.readAny("words")) == ["one", "two"]
    assert group.names() == ["numbers", "words"]
    assert not problems and not problems.misfits


@pytest.mark.parametrize("key", ["group/numbers", "/numbers", ".", "", "./numbers", "numbers\0x"])
def test_a_key_is_no_path(file, key):
    problems = Problems()
    root = Guarded(file, "/", problems)

    assert key not in root and root.find(key) == "is missing"
    assert root.read(key, *form) is None and key in problems.misfits


def test_the_root_of_a_group_is_the_group(file):
    root = Guarded(file["group"], "/", Problems())

    assert root.names() == ["numbers", "words"]


def test_a_group_that_is_missing_is_empty(file):
    problems = Problems()
    group = Guarded(file, "nowhere", problems)

    assert group.names() == [] and "x" not in group and group.find("x") == "is missing"
    group.refuseOthers(["x"])
    assert group.read("x", *form) is None and problems.misfits == {"x": "nowhere/x is missing"}
    assert problems == []


def test_problems_and_misfits_are_apart(file):
    problems = Problems()
    root = Guarded(file, "/", problems)

    root.read("soft", *form)
    root.read("numbers", (4,), form[1])
    root.refuseOthers(["numbers", "soft"])

    assert problems == ["soft must be a hard link, not a SoftLink"]
    assert problems.misfits == {
        "numbers": "numbers must have shape (4,), the file has (3,)",
        "group": "group is not in this module"}


def test_a_group_without_end_is_not_listed(file, monkeypatch):
    monkeypatch.setattr("minidl.Guarded.mostLinks", 2)
    problems = Problems()

    assert Guarded(file, "/", problems).names() == []
    assert problems == ["/ has more than 2 entries"]


def test_texts_that_are_one_and_the_same_are_no_bomb():
    """100 texts of 100 KB that point to the same bytes of the file."""
    buffer = io.BytesIO(make().save())
    with h5py.File(buffer, "r+") as file:
        words = file.create_dataset("attrs.net/net.words", (100,), h5py.string_dtype())
        words[0] = "x" * 100_000
        place = words.id.get_offset()
    image = bytearray(buffer.getvalue())
    image[place:place + 1600] = image[place:place + 16] * 100

    with h5py.File(io.BytesIO(image)) as file:
        assert len(file["attrs.net/net.words"][99]) == 100_000
    with pytest.raises(WeightsError, match="net.words must not hold more bytes than the file"):
        make(seed=1).load(sealed(bytes(image)))


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "/dev/null", "."])
def test_what_became_no_plain_file_since_it_was_looked_at(path, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "is_file", lambda self: True)

    with pytest.raises(WeightsError, match="there is no such file|Is a directory"):
        make(seed=1).load(tmp_path / path)


def test_what_is_written_is_read(tmp_path):
    with writing(tmp_path / "a.hdf") as (group, result):
        group["numbers"] = np.arange(3, dtype=np.float32)
    assert result == [None]
    with writing(None) as (group, result):
        group["numbers"] = np.arange(3, dtype=np.float32)

    for source in (tmp_path / "a.hdf", result[0]):
        assert readArrays(source, "Reader", {"numbers": form})[0].tolist() == [0, 1, 2]
        with reading(source, "Reader", requireSeal=True) as (group, problems):
            assert Guarded(group, "/", problems).names() == ["numbers"]


def test_a_problem_is_told_in_the_end():
    with writing(None) as (_, result):
        pass

    with pytest.raises(WeightsError, match="^Reader: cannot load [0-9]+ bytes: so it is$"):
        with reading(result[0], "Reader") as (_, problems):
            problems.append("so it is")
