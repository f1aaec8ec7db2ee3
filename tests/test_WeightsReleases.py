"""Files of every release, and one of PuzzleLib's layout, are loaded for ever."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.fixtures import PuzzleLibFile
from tests.fixtures.ReleaseFile import fill, net, steps
from tests.test_Weights import tree

root = Path(__file__).parents[1]
files = sorted((root / "tests/fixtures").glob("*.hdf"))


def check(loaded):
    for i, var in enumerate(loaded.getVarTable()):
        np.testing.assert_array_equal(var.data.get(), i + steps(var.data.shape))
    norm = loaded["inner"]["bn"]
    np.testing.assert_array_equal(norm.mean.get().ravel(), [0.25, 0.375, 0.5, 0.625])
    np.testing.assert_array_equal(norm.var.get().ravel(), [0.5, 0.625, 0.75, 0.875])
    assert loaded.getAttr("epoch") == 3
    assert loaded["inner"].getAttr("note") == "h5 and PuzzleLib"
    assert loaded["inner"]["two"].getVar("W") is loaded["inner"]["one"].getVar("W")


@pytest.mark.parametrize("path", files, ids=lambda path: path.name)
def test_loads(path):
    fresh = net()
    if path.name == "puzzlelib.hdf":
        fresh.name = None

    fresh.load(path)

    check(fresh)
    assert path.stat().st_size <= 50 * 1024
    # PuzzleLib does not keep it; from 10 on the next batch has the weight minFactor.
    count = fresh["inner"]["bn"].numOfProps
    assert count >= 10 if path.name == "puzzlelib.hdf" else count == 7


def test_there_is_one_of_every_release():
    import minidl

    numbers = re.findall(r"^## (\d+\.\d+\.\d+)$", (root / "CHANGELOG.md").read_text(), re.M)
    order = lambda number: [*map(int, number.split("."))]
    past = {f"minidl-{each}.hdf" for each in numbers if order(each) < order(minidl.__version__)}
    assert past <= {path.name for path in files} and root / "tests/fixtures/puzzlelib.hdf" in files


def test_todays_file_comes_back(tmp_path):
    fill(net()).save(tmp_path / "net.hdf")
    fresh = net()

    fresh.load(tmp_path / "net.hdf")

    check(fresh)


def test_puzzlelibs_file_is_what_its_script_writes(tmp_path):
    PuzzleLibFile.write(tmp_path / "net.hdf")
    new, old = tree(tmp_path / "net.hdf"), tree(root / "tests/fixtures/puzzlelib.hdf")

    assert new[1] == old[1] and new[0].keys() == old[0].keys()
    for path, value in new[0].items():
        np.testing.assert_array_equal(value, old[0][path])


def test_todays_file_has_puzzlelibs_layout(tmp_path):
    mine = fill(net())
    mine.name = None
    with h5py.File(tmp_path / "net.hdf", "w") as file:
        mine.save(file)
    PuzzleLibFile.write(tmp_path / "puzzlelib.hdf")
    new, old = tree(tmp_path / "net.hdf"), tree(tmp_path / "puzzlelib.hdf")

    assert new[1] == old[1] and new[0].keys() - old[0].keys() == {"attrs/.inner.bn.numOfProps"}
    for path, value in old[0].items():
        assert new[0][path].dtype == value.dtype if hasattr(value, "dtype") else True
        np.testing.assert_array_equal(new[0][path], value)
