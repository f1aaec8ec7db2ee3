import copy
import pickle

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Cpu.HostArray import GPUArray, memoryPool
from minidl.Backend.Cpu.MemoryPool import OutOfMemoryError


def churn(nbytes):
    """Takes what the pool holds of this size, writes all over it and gives it back."""
    arrays = [gpuarray.empty(nbytes, np.uint8) for _ in range(20)]
    for array in arrays:
        array.fill(77)


@pytest.mark.parametrize("shape, expected", [
    (3, (3,)), ((3,), (3,)), ([2, 3], (2, 3)), ((), ()), (np.int64(4), (4,)), ((0, 5), (0, 5)),
    (0, (0,)), ((np.int32(2), 1), (2, 1)),
    ((np.uint8(200), np.uint8(200)), (200, 200)),
])
def test_shape_may_be_a_number_or_several(shape, expected):
    assert gpuarray.empty(shape).shape == expected
    assert gpuarray.zeros(shape).shape == expected
    assert GPUArray(shape).shape == expected


@pytest.mark.parametrize("shape", ["ab", 2.5, None, (2, 2.5), (-1,), (3, -2)])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises((TypeError, ValueError)):
        gpuarray.empty(shape)


@pytest.mark.parametrize("dtype", [np.float32, "float64", np.int32, np.uint8, np.float16, bool])
def test_dtype_may_be_any_of_numpys(dtype):
    array = gpuarray.zeros((2, 3), dtype)
    assert array.dtype == np.dtype(dtype) and not array.any()
    assert array.layout == np.dtype(dtype).char


def test_new_arrays_are_full_of_nan_during_the_tests():
    gpuarray.zeros((7, 11))
    assert np.isnan(gpuarray.empty((7, 11))).all()


def test_values_go_to_the_device_and_back(rng):
    values = rng.standard_normal((3, 4)).astype(np.float32)

    array = gpuarray.to_gpu(values)
    values[0] = 0
    back = array.get()

    assert type(back) is np.ndarray and (back[1:] == values[1:]).all() and (back[0] != 0).all()
    back[:] = 1
    assert (array != 1).all()


def test_any_layout_goes_to_the_device_as_a_contiguous_array(rng):
    values = rng.standard_normal((4, 5, 6))

    for given in (values.transpose(2, 0, 1), values[::2, :, ::-1], np.asfortranarray(values)):
        array = gpuarray.to_gpu(given)
        assert array.layout == "d" and array.contiguous and (array.get() == given).all()


def test_lists_and_numbers_go_to_the_device():
    assert gpuarray.to_gpu([1.0, 2.0]).get().tolist() == [1, 2]
    assert gpuarray.to_gpu(5).get() == 5 and gpuarray.to_gpu(5).shape == ()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 4)])
def test_arrays_may_have_no_elements(shape):
    array = gpuarray.to_gpu(np.empty(shape, np.float32))

    assert array.get().shape == shape and array.layout == "f" and array.ptr
    assert array.copy().shape == shape and array.sum() == 0


def test_set_takes_values():
    array = gpuarray.empty((2, 3))
    array.set(np.ones((2, 3), np.float32))
    array.set(2 * array)
    assert array.get().tolist() == [[2, 2, 2]] * 2


@pytest.mark.parametrize("values", [
    np.ones((3, 2), np.float32), np.ones((2, 3)), np.ones((1, 3), np.float32), np.float32(1)])
def test_set_refuses_another_shape_or_dtype(values):
    array = gpuarray.zeros((2, 3))
    with pytest.raises(ValueError, match=r"set needs float32 of shape \(2, 3\), got"):
        array.set(values)
    assert not array.any()


def test_fill_returns_its_array():
    array = gpuarray.empty((2, 3))
    assert array.fill(3) is array and (array == 3).all()


def test_layout_tells_what_is_contiguous():
    array = gpuarray.zeros((4, 6))

    assert array.layout == "f" and array.contiguous
    for view in (array[1:3], array[2], array.reshape(2, 12), array.ravel(), array[1:2, 2:4]):
        assert view.layout == "f" and view.contiguous
    for view in (array[:, 1:], array[::2], array.T, array[:, 0], array[::-1]):
        assert view.layout is None and not view.contiguous
    assert array.view(np.int32).layout == "i"


def test_views_know_where_they_begin():
    array = gpuarray.zeros((4, 6))

    assert array.ptr == array.gpudata == array.ctypes.data
    assert array[2].ptr == array.ptr + 2 * 6 * 4
    assert array[2].gpudata == array[2].ptr
    assert array[1:][1:, 3:].ptr == array.ptr + (2 * 6 + 3) * 4
    assert array[::-1].ptr == array.ptr + 3 * 6 * 4


views = {
    "slice": lambda array: array[1:],
    "slice of a slice": lambda array: array[1:][1:],
    "numpy's view": np.asarray,
    "numpy's view of a slice": lambda array: np.asarray(array[1:]),
    "slice of numpy's view": lambda array: np.asarray(array)[1:],
    "another dtype": lambda array: array.view(np.int32),
    "numpy's class": lambda array: array.view(np.ndarray)[2:][1:],
    "shape": lambda array: array.reshape(2, -1),
    "transposed": lambda array: array.reshape(2, -1).T[1:],
    "flat": lambda array: np.asarray(array.ravel()),
    "memoryview": memoryview,
    "row": lambda array: next(iter(array.reshape(2, -1))),
}


@pytest.mark.parametrize("view", views.values(), ids=views)
def test_views_keep_the_memory_of_their_array(view):
    array = gpuarray.to_gpu(np.arange(5000, dtype=np.float32))
    kept = view(array)
    expected = np.array(kept)

    del array
    churn(20_000)

    assert (np.asarray(kept) == expected).all()


@pytest.mark.parametrize("view", views.values(), ids=views)
def test_memory_comes_back_when_the_last_view_goes(view):
    array = gpuarray.zeros(54_322)
    address, kept = array.ptr, view(array)

    del array, kept

    assert gpuarray.empty(54_322).ptr == address


def test_results_of_numpy_are_arrays_of_the_device_class():
    array = gpuarray.to_gpu(np.arange(6, dtype=np.float32).reshape(2, 3))

    result = array + 1

    assert isinstance(result, GPUArray)
    assert result.layout == "f" and result.ptr == result.ctypes.data and result.memory is None


def test_unknown_attributes_are_errors():
    with pytest.raises(AttributeError, match="GPUArray has no attribute strange"):
        gpuarray.zeros(3).strange  # noqa: B018


def duplicates(array):
    return [array.copy(), copy.copy(array), copy.deepcopy(array),
            pickle.loads(pickle.dumps(array)), pickle.loads(pickle.dumps(array, protocol=2))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_copies_are_of_the_pool_and_independent(dtype, rng):
    array = gpuarray.to_gpu((10 * rng.standard_normal((3, 4))).astype(dtype))

    for duplicate in duplicates(array):
        assert type(duplicate) is GPUArray and duplicate.memory is not None
        assert duplicate.dtype == dtype and (duplicate == array).all()
        assert duplicate.ptr != array.ptr and duplicate.layout == array.layout


def test_copies_of_views_are_contiguous():
    array = gpuarray.to_gpu(np.arange(12, dtype=np.float32).reshape(3, 4))

    for duplicate in duplicates(array.T[1:]):
        assert duplicate.layout == "f" and (duplicate == array.T[1:]).all()


def test_objects_with_shared_arrays_share_them_after_a_deepcopy():
    array = gpuarray.zeros(3)
    first, second = copy.deepcopy([array, array])
    assert first is second and first is not array


def test_arrays_print_like_numpys():
    values = np.arange(3, dtype=np.float32)
    assert str(gpuarray.to_gpu(values)) == str(values)
    assert repr(gpuarray.to_gpu(values)) == repr(values)


def test_out_of_memory_names_the_shape_and_leaves_a_working_pool(monkeypatch):
    def refuse(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", refuse)
        with pytest.raises(OutOfMemoryError, match=r"\(1000, 12347\) and float64: the system"):
            gpuarray.empty((1000, 12347), np.float64)

    assert gpuarray.zeros((1000, 1234)).shape == (1000, 1234)


def test_out_of_memory_is_a_memory_error():
    with pytest.raises(MemoryError, match="shape"):
        gpuarray.empty((1 << 30, 1 << 30))


def test_steady_use_asks_the_system_for_nothing():
    def step():
        first = gpuarray.zeros((100, 37))
        second = first.copy()
        return gpuarray.to_gpu(second[10:]), gpuarray.empty(5, np.float64)

    step()
    before = memoryPool.systemAllocations
    for _ in range(100):
        step()

    assert memoryPool.systemAllocations == before
    assert gpuarray.memoryPool is memoryPool
