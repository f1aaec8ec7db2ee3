import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import GlobalAvgPool, ModuleError


@pytest.mark.parametrize("shape", [
    (3, 2, 7), (1, 1, 1), (2, 3, 5, 4), (1, 67, 1, 1), (5, 2, 17, 1), (2, 3, 3, 2, 5),
    (2, 1, 211, 307), (64, 131, 7, 7)])
def test_maps_become_their_means(shape, rng):
    x = (rng.standard_normal(shape) + 3).astype(np.float32)

    y = GlobalAvgPool()(gpuarray.to_gpu(x)).get()

    expected = x.astype(np.float64).mean(tuple(range(2, x.ndim)))
    np.testing.assert_allclose(y, expected, 1e-6, 1e-6)


def test_gradient_is_shared_out_evenly(rng):
    module, g = GlobalAvgPool(), rng.standard_normal((3, 5)).astype(np.float32)

    module(gpuarray.zeros((3, 5, 7, 2)))
    module.backward(gpuarray.to_gpu(g))

    expected = np.broadcast_to(g[:, :, None, None] / 14, (3, 5, 7, 2))
    np.testing.assert_allclose(module.grad.get(), expected, 1e-6)


@pytest.mark.parametrize("shape, message", [
    ((3, 5), r"GlobalAvgPool 'p': data must have shape \(batch, maps, one or more sizes\), got"),
    ((5,), r"got \(5,\)"),
    ((3, 5, 0), "data must have from 1 to"),
    ((0, 5, 2), "data must have from 1 to"),
])
def test_refuses_bad_shapes(shape, message):
    with pytest.raises(ModuleError, match=message):
        GlobalAvgPool(name="p")(gpuarray.zeros(shape))
