"""What changes the places or neighbourhoods of maps, beside PyTorch, in float32."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import (
    CrossMapLRN,
    Pad1D,
    Pad2D,
    SpatialTf,
    SubtractMean,
    Upsample2D,
    Upsample3D,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def assertClose(actual, expected, tolerance=1e-5):
    expected = expected.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(actual, expected, 0, tolerance * max(np.abs(expected).max(), 1e-3))


def passes(module, peer, shape, rng):
    """Both give the same output and input gradient."""
    x = rng.standard_normal(shape).astype(np.float32)
    data = torch.from_numpy(x).requires_grad_()
    out = peer(data)
    g = rng.standard_normal(out.shape).astype(np.float32)
    out.backward(torch.from_numpy(g))

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    assertClose(module.data.get(), out)
    assertClose(module.grad.get(), data.grad)


@pytest.mark.parametrize("module, peer, shape", [
    (Pad1D((3, 1), fillValue=0.5), torch.nn.ConstantPad1d((3, 1), 0.5), (3, 5, 7)),
    (Pad1D((2, 6), "reflect"), torch.nn.ReflectionPad1d((2, 6)), (3, 5, 7)),
    (Pad2D(2), torch.nn.ZeroPad2d(2), (2, 3, 5, 4)),
    (Pad2D((1, 2, 3, 4)), torch.nn.ZeroPad2d((3, 4, 1, 2)), (2, 3, 5, 4)),
    (Pad2D((1, 2, 3, 4), "reflect"), torch.nn.ReflectionPad2d((3, 4, 1, 2)), (2, 3, 4, 5)),
    (Pad2D(30, "reflect"), torch.nn.ReflectionPad2d(30), (5, 13, 31, 37)),
])
def test_pads(module, peer, shape, rng):
    passes(module, peer, shape, rng)


@pytest.mark.parametrize("module, peer, shape", [
    (Upsample2D(), dict(scale_factor=2), (3, 5, 7, 4)),
    (Upsample2D((3, 2)), dict(scale_factor=(3, 2)), (2, 3, 13, 17)),
    (Upsample3D((1, 2, 3)), dict(scale_factor=(1, 2, 3)), (2, 3, 5, 4, 7)),
    (Upsample2D(2, "linear"), dict(scale_factor=2, mode="bilinear"), (3, 5, 7, 4)),
    (Upsample2D((4, 3), "linear"), dict(scale_factor=(4, 3), mode="bilinear"), (2, 3, 67, 131)),
    (Upsample2D((1, 5), "linear"), dict(scale_factor=(1, 5), mode="bilinear"), (2, 3, 1, 9)),
    (Upsample3D(2, "linear"), dict(scale_factor=2, mode="trilinear"), (2, 3, 5, 4, 7)),
    (Upsample3D((3, 1, 2), "linear"), dict(scale_factor=(3, 1, 2), mode="trilinear"),
     (1, 2, 1, 6, 11)),
])
def test_upsampling(module, peer, shape, rng):
    corners = {"align_corners": True} if "mode" in peer else {}

    passes(module, torch.nn.Upsample(**peer, **corners), shape, rng)


@pytest.mark.parametrize("N, alpha, beta, K", [
    (5, 1e-4, 0.75, 2.0), (3, 0.5, 1.5, 0.3), (1, 2.0, 0.5, 1.0), (9, 0.7, 0.75, 1.0)])
@pytest.mark.parametrize("shape", [(3, 5, 7, 4), (2, 34, 3, 5), (4, 1, 13, 11)])
def test_normalization_across_maps(N, alpha, beta, K, shape, rng):
    peer = torch.nn.LocalResponseNorm(N, alpha, beta, K)

    passes(CrossMapLRN(N, alpha, beta, K), peer, shape, rng)


@pytest.mark.parametrize("includePad", [True, False])
@pytest.mark.parametrize("size, shape", [
    (3, (3, 5, 7, 4)), (5, (2, 3, 13, 17)), (7, (1, 2, 67, 41)), (5, (2, 3, 1, 2))])
def test_subtraction_of_means(size, shape, includePad, rng):
    pool = torch.nn.AvgPool2d(size, 1, size // 2, count_include_pad=includePad)

    passes(SubtractMean(size, includePad), lambda x: x - pool(x), shape, rng)


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

    # Both round places, and where one is rounded by 1e-6 neighbours may differ by much.
    assertClose(y.get(), out, 1e-4)
    for grad, peer in zip(module.grad, (data, places), strict=True):
        assertClose(grad.get(), peer.grad, 1e-4)
