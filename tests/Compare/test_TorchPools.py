"""Beside PyTorch: pools, transposed convolutions and what else works map by map, in float32."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import (
    AvgPoolND,
    DeconvND,
    Dropout2D,
    Gelu,
    GlobalAvgPool,
    MaxPool2D,
    MaxPoolND,
    MaxUnpool2D,
    PRelu,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
functional = torch.nn.functional


def assertClose(actual, expected):
    expected = expected.detach().numpy()
    np.testing.assert_allclose(actual, expected, 1e-4, 1e-5 * max(np.abs(expected).max(), 1e-3))


def passes(module, peer, shape, rng):
    """Both give the same output and input gradient; returns (module, gradient)."""
    x = rng.standard_normal(shape).astype(np.float32)
    data = torch.from_numpy(x).requires_grad_()
    out = peer(data)
    g = rng.standard_normal(out.shape).astype(np.float32)
    out.backward(torch.from_numpy(g))

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    assertClose(module.data.get(), out)
    assertClose(module.grad.get(), data.grad)


windows = [  # (shape, size, stride, pad)
    ((3, 5, 31), 2, 2, 0), ((2, 3, 17), 5, 3, 2), ((1, 1, 4), 3, 1, 1),
    ((4, 3, 28, 28), 2, 2, 0), ((2, 5, 27, 33), 2, 2, 1), ((2, 3, 55, 55), 3, 2, 0),
    ((2, 3, 56, 41), 3, 2, 1), ((1, 2, 14, 15), 3, 1, 1), ((2, 2, 9, 13), (4, 3), (3, 2), (2, 1)),
    ((3, 1, 7, 1), (2, 1), 1, (1, 0)), ((2, 3, 8, 9, 7), 2, 2, 0), ((1, 2, 7, 5, 11), 3, 2, 1),
    ((2, 1, 6, 8, 5), (1, 3, 2), (1, 2, 3), (0, 1, 1)),
]
everyWindow = pytest.mark.parametrize("shape, size, stride, pad", windows, ids=str)


@everyWindow
def test_max_pools(shape, size, stride, pad, rng):
    nd = len(shape) - 2
    peer = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[nd - 1]
    module = MaxPoolND(nd, size, stride, pad)

    passes(module, lambda x: peer(x, size, stride, pad), shape, rng)

    _, indices = peer(torch.from_numpy(module.inData.get()), size, stride, pad, return_indices=True)
    np.testing.assert_array_equal(module.mask.get(), indices.numpy())


@everyWindow
@pytest.mark.parametrize("includePad", [True, False])
def test_mean_pools(shape, size, stride, pad, includePad, rng):
    nd = len(shape) - 2
    peer = (torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d)[nd - 1]

    passes(AvgPoolND(nd, size, stride, pad, includePad),
           peer(size, stride, pad, count_include_pad=includePad), shape, rng)


@pytest.mark.parametrize("shape, size, pad", [
    ((3, 5, 8, 10), 2, 0), ((2, 3, 13, 7), 3, 1), ((1, 1, 4, 9), (2, 3), 0)])
def test_max_unpool_of_windows_that_touch(shape, size, pad, rng):
    x = rng.standard_normal(shape).astype(np.float32)
    pool = MaxPool2D(size, size, pad)
    pool(gpuarray.to_gpu(x))
    indices = functional.max_pool2d(
        torch.from_numpy(x), size, size, pad, return_indices=True)[1]

    passes(MaxUnpool2D(pool), lambda data: functional.max_unpool2d(
        data, indices, size, size, pad, output_size=shape[2:]), pool.data.shape, rng)


@pytest.mark.parametrize("shape", [(3, 5, 8, 10), (64, 67, 7, 7), (1, 1, 1, 1), (2, 3, 131, 17)])
def test_global_means(shape, rng):
    passes(GlobalAvgPool(), lambda x: torch.nn.AdaptiveAvgPool2d(1)(x).flatten(1), shape, rng)


@pytest.mark.parametrize("shape, outmaps, size, options", [
    ((3, 5, 17), 4, 3, {}), ((2, 6, 11), 4, 4, dict(stride=3, pad=1, postpad=2, groups=2)),
    ((3, 5, 8, 10), 4, 3, {}), ((2, 3, 7, 9), 5, 4, dict(stride=2, pad=1)),
    ((1, 4, 5, 3), 6, (3, 2), dict(stride=(2, 1), pad=(1, 0), postpad=(1, 0), groups=2)),
    ((2, 8, 6, 5), 8, 2, dict(stride=2, groups=8)), ((1, 67, 1, 7), 33, 3, dict(pad=1)),
    ((2, 2, 5, 4), 3, 3, dict(dilation=3, postpad=2)),
    ((2, 3, 4, 3, 5), 2, 2, dict(stride=2)), ((1, 4, 3, 2, 3), 6, 3, dict(pad=1, groups=2)),
], ids=str)
def test_transposed_convolutions(shape, outmaps, size, options, rng):
    nd = len(shape) - 2
    kind = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)[nd - 1]
    words = {"pad": "padding", "postpad": "output_padding"}
    peer = kind(shape[1], outmaps, size, **{
        words.get(word, word): value for word, value in options.items()})
    module = DeconvND(nd, shape[1], outmaps, size, **options)
    module.W.set(peer.weight.detach().numpy())
    module.b.set(peer.bias.detach().numpy().reshape(module.b.shape))

    passes(module, peer, shape, rng)

    assertClose(module.getVar("W").grad.get(), peer.weight.grad)
    assertClose(module.getVar("b").grad.get().ravel(), peer.bias.grad)


@pytest.mark.parametrize("sharedMaps", [False, True])
@pytest.mark.parametrize("shape", [(33, 7), (3, 5, 11), (2, 67, 7, 7), (1, 2, 3, 4, 5)], ids=str)
def test_prelu(shape, sharedMaps, rng):
    module = PRelu(shape[1], sharedMaps=sharedMaps)
    peer = torch.nn.PReLU(1 if sharedMaps else shape[1])

    passes(module, peer, shape, rng)

    assertClose(module.getVar("slopes").grad.get(), peer.weight.grad)


def test_gelu(rng):
    passes(Gelu(), torch.nn.GELU(), (131, 67), rng)


def test_dropout_of_maps_scales_what_it_keeps(rng):
    x = np.ones((50, 20, 3, 2), np.float32)

    ours = Dropout2D(0.3)(gpuarray.to_gpu(x)).get()
    theirs = functional.dropout2d(torch.from_numpy(x), 0.3).numpy()

    np.testing.assert_allclose(ours.max(), theirs.max(), 1e-6)
    assert set(np.unique(ours)) <= {0, ours.max()}
