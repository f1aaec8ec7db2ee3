import h5py
import numpy as np
import pytest

from minidl.Datasets import Rows
from minidl.Handlers import Calculator
from minidl.Modules import Identity

numbers = np.arange(20, dtype=np.float32).reshape(10, 2)


@pytest.fixture(params=["array", "h5"])
def data(request, tmp_path):
    if request.param == "array":
        yield numbers
        return
    with h5py.File(tmp_path / "data.hdf", "w") as file:
        file["data"] = numbers
        yield file["data"]


@pytest.mark.parametrize("start, stop", [(0, None), (3, None), (0, 4), (3, 7), (5, 5), (10, None)])
def test_rows_are_those_between_start_and_stop(data, start, stop):
    rows, expected = Rows(data, start, stop), numbers[start:stop]

    assert len(rows) == len(expected) and rows.shape == expected.shape
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[:], expected)


@pytest.mark.parametrize("part", [
    slice(2), slice(1, 3), slice(3, 99), slice(-2, None), slice(3, 1), slice(9, 12)])
def test_slices_are_those_of_an_array(data, part):
    np.testing.assert_array_equal(Rows(data, 2, 8)[part], numbers[2:8][part])


def test_a_transform_is_applied_to_what_is_read(data):
    rows = Rows(data, 2, transform=lambda array: -array)

    np.testing.assert_array_equal(rows[1:3], -numbers[3:5])


def test_handlers_read_rows_in_macro_batches(data):
    read = []
    rows = Rows(data, 1, 8, transform=lambda array: read.append(len(array)) or array)

    result = Calculator(Identity(), progress=False).calcFromHost(rows, macroBatchSize=3)

    np.testing.assert_array_equal(result, numbers[1:8])
    assert read == [3, 3, 1]


@pytest.mark.parametrize("start, stop", [(-1, None), (11, None), (0, 11), (5, 4)])
def test_rows_that_are_not_there_are_refused(start, stop):
    with pytest.raises(ValueError, match="Rows: start and stop must lie in order within 0 and 10"):
        Rows(numbers, start, stop)


@pytest.mark.parametrize("part", [3, [1, 2], slice(None, None, 2), slice(None, None, -1)])
def test_other_indices_are_refused(part):
    with pytest.raises(TypeError, match="Rows: takes slices without steps"):
        Rows(numbers)[part]
