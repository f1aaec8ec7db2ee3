"""Transposed convolutions of one to three axes, beside the sum of filters made by numpy."""

import itertools

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import (
    BatchNorm2D,
    Conv2D,
    Deconv1D,
    Deconv2D,
    Deconv3D,
    DeconvND,
    ModuleError,
)
from minidl.Passes.FoldBatchNorm import foldBatchNorm

# (shape of data, outmaps, size, options)
cases = [
    ((3, 2, 7), 3, 2, {}), ((1, 4, 5), 6, 3, dict(stride=3, pad=1, postpad=2, groups=2)),
    ((2, 3, 1), 2, 4, dict(dilation=3, pad=2)), ((2, 3, 4, 5), 4, 3, {}),
    ((3, 2, 5, 4), 3, 4, dict(stride=2, pad=1)), ((1, 1, 1, 1), 1, 1, {}),
    ((2, 4, 3, 7), 6, (3, 2), dict(stride=(2, 1), pad=(1, 0), postpad=(1, 0), groups=2)),
    ((1, 3, 4, 2), 5, 3, dict(dilation=(1, 3), postpad=(0, 2))),
    ((2, 3, 6, 5), 3, 2, dict(groups=3)),
    ((2, 2, 3, 3), 1, 2, dict(stride=3, postpad=1)), ((1, 67, 3, 5), 31, 3, dict(stride=2, pad=1)),
    ((2, 2, 3, 2, 4), 3, 2, dict(stride=2)), ((1, 4, 1, 3, 2), 2, (1, 3, 2), dict(groups=2)),
]
everyCase = pytest.mark.parametrize("shape, outmaps, size, options", cases, ids=str)


def make(shape, outmaps, size, options, rng):
    module = DeconvND(len(shape) - 2, shape[1], outmaps, size, **options)
    module.b.set(rng.standard_normal(module.b.shape).astype(np.float32))
    return module


def reference(module, x):
    """Adds, for each element of data and of the filters, where they meet."""
    x, W, b = x.astype(np.float64), module.W.get().astype(np.float64), module.b.get()
    groups, outs = module.groups, module.outmaps // module.groups
    axes = list(zip(x.shape[2:], module.size, module.stride, module.pad, module.dilation,
                    module.postpad, strict=True))
    whole = [(n - 1) * s + d * (k - 1) + 1 + post for n, k, s, _, d, post in axes]
    y = np.zeros((x.shape[0], module.outmaps, *whole))
    for q in itertools.product(*(range(n) for n, *_ in axes)):
        for t in itertools.product(*(range(k) for _, k, *_ in axes)):
            place = tuple(
                i * s + j * d for i, j, (_, _, s, _, d, _) in zip(q, t, axes, strict=True))
            for g in range(groups):
                ins = slice(g * module.inmaps // groups, (g + 1) * module.inmaps // groups)
                y[(slice(None), slice(g * outs, (g + 1) * outs), *place)] += (
                    x[(slice(None), ins, *q)] @ W[(ins, slice(None), *t)])
    inside = tuple(slice(p, n - p) for n, (_, _, _, p, _, _) in zip(whole, axes, strict=True))
    return y[(..., *inside)] + b


@everyCase
def test_filters_are_added_up(shape, outmaps, size, options, rng):
    module = make(shape, outmaps, size, options, rng)
    x = rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    expected = reference(module, x)
    assert y.shape == module.dataShapeFrom(shape) == expected.shape
    np.testing.assert_allclose(y, expected, 1e-5, 1e-5 * np.abs(expected).max())


@everyCase
def test_forward_is_the_transpose_of_its_backward(shape, outmaps, size, options, rng):
    module = make(shape, outmaps, size, {**options, "useBias": True}, rng)
    module.b.fill(0)
    x = rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()
    g = rng.standard_normal(y.shape).astype(np.float32)
    module.backward(gpuarray.to_gpu(g))

    length = np.sqrt((y.astype(np.float64) ** 2).sum() * (g.astype(np.float64) ** 2).sum())
    assert abs((y * g).sum() - (x * module.grad.get()).sum()) <= 1e-5 * length


def test_forward_is_the_input_gradient_of_a_convolution(rng):
    conv, deconv = Conv2D(3, 4, 3, 2, 1, useBias=False), Deconv2D(4, 3, 3, 2, 1, useBias=False)
    deconv.W.set(conv.W.get())
    conv(gpuarray.zeros((2, 3, 7, 9)))
    g = gpuarray.to_gpu(rng.standard_normal(conv.data.shape).astype(np.float32))

    conv.backward(g)

    np.testing.assert_allclose(deconv(g).get(), conv.grad.get(), 1e-5, 1e-6)


def test_variables_have_the_shapes_of_puzzlelib():
    for kind, W, b in ((Deconv1D, (4, 3, 1, 5), (1, 6, 1, 1)),
                       (Deconv2D, (4, 3, 5, 5), (1, 6, 1, 1)),
                       (Deconv3D, (4, 3, 5, 5, 5), (1, 6, 1, 1, 1))):
        module = kind(4, 6, 5, groups=2)
        assert (module.W.shape, module.b.shape) == (W, b)
        assert (module.b.get() == 0).all() and module.vars.keys() == {"W", "b"}
    assert Deconv2D(1, 1, 2, useBias=False).b is None
    assert Deconv2D(1, 1, 2, empty=True).vars == {}


def test_initial_weights_follow_the_number_of_inputs():
    W = Deconv2D(200, 10, 5, initscheme="xavier_normal").W.get()
    assert W.std() == pytest.approx(1 / np.sqrt(200 * 25), rel=0.05)


@pytest.mark.parametrize("groups", [1, 2])
def test_batch_norm_behind_is_folded_into_filters(groups, rng):
    net = Sequential().append(Deconv2D(4, 6, 3, 2, groups=groups)).append(BatchNorm2D(6))
    net[1].mean.set(rng.standard_normal(net[1].mean.shape).astype(np.float32))
    net[1].var.set(rng.uniform(0.5, 2, net[1].var.shape).astype(np.float32))
    net.evalMode()
    x = gpuarray.to_gpu(rng.standard_normal((2, 4, 5, 3)).astype(np.float32))
    expected = net(x).get()

    foldBatchNorm(net)

    assert len(net.modules) == 1
    np.testing.assert_allclose(net(x).get(), expected, 1e-4, 1e-5)


@pytest.mark.parametrize("make, message", [
    (lambda: Deconv2D(2, 3, 3, postpad=1),
     r"Deconv2D: postpad must be less than stride \(1, 1\) or dilation \(1, 1\), got \(1, 1\)"),
    (lambda: Deconv2D(2, 3, 3, (2, 3), dilation=2, postpad=(1, 3)), r"got \(1, 3\)"),
    (lambda: Deconv1D(2, 3, 3, postpad=-1), "Deconv1D: postpad must be an integer of at least 0"),
    (lambda: Deconv3D(2, 3, 0), "Deconv3D: size must be an integer of at least 1"),
    (lambda: Deconv2D(4, 3, 3, groups=2), "groups must divide inmaps and outmaps"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("options, shape, message", [
    ({}, (2, 3, 4, 5), r"Deconv2D 'd': data must have 4 axes and 2 maps, got \(2, 3, 4, 5\)"),
    ({}, (2, 2, 4), "must have 4 axes"),
    ({}, (0, 2, 4, 4), "data must have from 1 to"),
    ({"pad": 2}, (1, 2, 5, 2), r"pad \(2, 2\) leaves nothing of the output, .* \(3, 0\)"),
    ({"stride": 2 ** 15}, (1, 2, 3, 3), "the output must have fewer than"),
    ({"empty": True}, (1, 2, 5, 5), "has no weights"),
])
def test_refuses_bad_shapes(options, shape, message):
    with pytest.raises(ModuleError, match=message):
        Deconv2D(2, 3, 3, name="d", **options)(gpuarray.zeros(shape))
