import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Identity


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8])
def test_passes_the_very_same_arrays(dtype):
    module, data, grad = Identity(), *(gpuarray.to_gpu(np.ones((3, 2), dtype)) for _ in range(2))

    assert module(data) is data
    module.backward(grad)
    assert module.grad is grad


def test_says_that_it_passes_arrays_on():
    assert Identity().movesData and Identity().movesGrad
