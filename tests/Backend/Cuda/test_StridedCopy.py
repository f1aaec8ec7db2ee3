"""Copies between strides, against numpy's assignment."""

import numpy as np
import pytest

from minidl.Backend import gpuarray

pytest.importorskip("pycuda", reason="tests PyCUDA's arrays, which make test-cuda installs")
from minidl.Backend.Cuda.StridedCopy import axes  # noqa: E402


@pytest.mark.parametrize("shape, strides, expected", [
    ((), [()], (0, [], [])),
    ((5,), [(4,)], (1, [5], [4])),
    ((2, 3, 4), [(48, 16, 4)], (1, [24], [4])),
    ((2, 3, 4), [(96, 16, 4)], (2, [2, 12], [96, 4])),
    ((2, 1, 4), [(16, 999, 4)], (1, [8], [4])),
    ((3, 4), [(4, 12)], (2, [3, 4], [4, 12])),
    ((3, 4), [(0, 0)], (1, [12], [0])),
    ((3, 4), [(-16, -4)], (1, [12], [-4])),
])
def test_neighbouring_axes_become_one(shape, strides, expected):
    number, sizes, steps = axes(shape, *strides)
    assert (number, list(sizes[:number]), list(steps[:number])) == expected
    assert all(size == 1 for size in sizes[number:])


def test_axes_are_joined_only_where_all_arrays_allow_it():
    number, sizes, first, second = axes((3, 4), (16, 4), (32, 4))
    assert number == 2 and sizes[:2] == (3, 4)


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, np.float64])
def test_any_strides_on_both_sides(dtype, rng):
    for _ in range(20):
        axesOfOne = rng.permutation(4)
        shape = rng.integers(1, 6, 4)
        source = rng.integers(-100, 100, tuple(2 * shape)).astype(dtype)
        steps = [rng.choice([-2, -1, 1, 2]) for _ in range(4)]
        index = tuple(slice(None, None, int(step)) for step in steps)
        part = source[index].transpose(axesOfOne)
        target = np.zeros(tuple(s + 3 for s in part.shape), dtype)
        place = tuple(slice(2, 2 + s) for s in part.shape)
        onSource, onTarget = gpuarray.to_gpu(source), gpuarray.to_gpu(target)

        target[place] = part
        onTarget[place] = onSource[index].transpose(axesOfOne)
        np.testing.assert_array_equal(onTarget.get(), target)


def test_eight_axes_are_the_most():
    values = np.arange(2**9, dtype=np.float32).reshape((2,) * 9)
    array = gpuarray.to_gpu(values)
    part = tuple([slice(None, None, -1), slice(None)] * 4)
    np.testing.assert_array_equal(array[part].copy().get(), values[part])
    with pytest.raises(ValueError, match="at most 8 axes, got 9"):
        array.transpose(tuple(reversed(range(9)))).copy()


def test_items_of_sixteen_bytes_have_no_kernel():
    array = gpuarray.to_gpu(np.ones((3, 4), np.complex128))
    np.testing.assert_array_equal(array.copy().get(), np.ones((3, 4)))
    with pytest.raises(TypeError, match="items of 16 bytes"):
        array.T.copy()
