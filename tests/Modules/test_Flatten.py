import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Flatten


@pytest.mark.parametrize("shape, flat", [
    ((3, 2, 5), (3, 10)), ((1, 7, 3, 2), (1, 42)), ((13, 11), (13, 11)), ((5,), (5, 1)),
])
def test_makes_a_row_of_each_sample(shape, flat, rng):
    module, x = Flatten(), rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x))
    module.backward(y)

    assert np.array_equal(y.get(), x.reshape(flat))
    assert np.array_equal(module.grad.get(), x)


def test_keeps_the_memory():
    module, data = Flatten(), gpuarray.to_gpu(np.ones((3, 2, 5), np.float32))

    y = module(data)
    module.backward(y)

    assert y.ptr == data.ptr == module.grad.ptr


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8])
def test_takes_any_dtype(dtype):
    assert Flatten()(gpuarray.to_gpu(np.ones((3, 2, 5), dtype))).dtype == dtype
