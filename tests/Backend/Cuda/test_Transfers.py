"""Copies between host and GPU, in pieces through page-locked memory."""

import numpy as np
import pytest

from minidl.Backend import gpuarray

pytest.importorskip("pycuda", reason="tests PyCUDA's arrays, which make test-cuda installs")
from minidl.Backend.Cuda.Transfers import numSlots, slotSize  # noqa: E402


@pytest.mark.parametrize("size", [
    0, 1, 3, slotSize - 1, slotSize, slotSize + 1, 3 * slotSize + 5, (numSlots + 2) * slotSize + 7])
def test_values_of_any_number_of_bytes(size, rng):
    values = rng.integers(0, 256, size).astype(np.uint8)
    np.testing.assert_array_equal(gpuarray.to_gpu(values).get(), values)


def test_host_memory_may_change_as_soon_as_the_call_returns(rng):
    values = rng.standard_normal(300).astype(np.float32)
    arrays, expected = [], []
    for _ in range(3 * numSlots):
        values += 1
        arrays.append(gpuarray.to_gpu(values))
        expected.append(values.copy())
    for array, each in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array.get(), each)


@pytest.mark.parametrize("index", [slice(None, None, 2), slice(None, None, -1)])
def test_host_arrays_of_any_strides(index, rng):
    values = rng.standard_normal((6, 5)).astype(np.float32)
    np.testing.assert_array_equal(gpuarray.to_gpu(values[index]).get(), values[index])
    np.testing.assert_array_equal(gpuarray.to_gpu(values.T).get(), values.T)
    assert gpuarray.to_gpu(np.asfortranarray(values)).layout == "f"
