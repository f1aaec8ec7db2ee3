"""Spatial transformers that look in many ways, beside PyTorch, in float32."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import SpatialTf

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def assertClose(actual, expected):
    """Both round places, and where one is rounded by 1e-6 neighbours may differ by much."""
    expected = expected.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(actual, expected, 0, 1e-4 * max(np.abs(expected).max(), 1e-3))


thetas = {
    "identity": [[1, 0, 0], [0, 1, 0]], "flip": [[-1, 0, 0], [0, -1, 0]],
    "zoom": [[0.37, 0, 0.21], [0, 0.43, -0.33]], "shrink": [[2.7, 0, 0.1], [0, 3.1, 0.2]],
    "turn": [[0.61, -0.79, 0.03], [0.79, 0.61, 0.11]], "shear": [[1, 0.7, 0], [0, 1.1, 0.13]],
    "transpose": [[0, 1.03, 0.01], [0.97, 0, 0.02]], "point": [[0, 0, 0.31], [0, 0, 0.17]],
    "line": [[0.5, 0.25, 0.11], [1, 0.5, 0.13]], "away": [[1, 0, 5], [0, 1, 0]],
}


def looks(theta, shape, outShape, rng):
    """x, theta and g of a batch, whose samples look a little differently."""
    x = rng.standard_normal(shape).astype(np.float32)
    tilt = rng.uniform(-1e-3, 1e-3, (shape[0], 2, 3))
    g = rng.standard_normal(outShape).astype(np.float32)
    return x, (np.asarray(theta) + tilt).astype(np.float32), g


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")  # of grids of one row or column
@pytest.mark.parametrize("theta", thetas.values(), ids=thetas.keys())
@pytest.mark.parametrize("shape, size", [
    ((3, 4, 5, 7), (5, 7)), ((2, 3, 13, 11), (6, 17)), ((1, 2, 8, 3), (1, 9)),
    ((2, 1, 1, 5), (3, 4)), ((2, 2, 37, 31), (29, 41)), ((1, 3, 4, 6), (1, 1))])
def test_spatial_transformer(theta, shape, size, rng):
    module = SpatialTf((shape[1], *size))
    x, theta, g = looks(theta, shape, (*shape[:2], *size), rng)
    data, places = (torch.from_numpy(each).requires_grad_() for each in (x, theta))
    grid = torch.nn.functional.affine_grid(places, g.shape, align_corners=True)
    out = torch.nn.functional.grid_sample(data, grid, align_corners=True)
    out.backward(torch.from_numpy(g))

    y = module([gpuarray.to_gpu(x), gpuarray.to_gpu(theta)])
    module.backward(gpuarray.to_gpu(g))

    assertClose(y.get(), out)
    for grad, peer in zip(module.grad, (data, places), strict=True):
        assertClose(grad.get(), peer.grad)
