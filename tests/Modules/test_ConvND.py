"""Convolutions of one to three axes beside their formula in numpy."""

from itertools import product

import numpy as np
import pytest

from minidl import Config
from minidl.Backend import Device, gpuarray
from minidl.Modules import Conv1D, Conv2D, Conv3D, ConvND, ModuleError
from tests.Gradients import checkGradients
from tests.LargeCases import largeConvs

kinds = {1: Conv1D, 2: Conv2D, 3: Conv3D}
cases = [  # (shape of data, outmaps, size, other arguments)
    ((1, 1, 1), 1, 1, {}),
    ((3, 2, 13), 5, 4, {}),
    ((2, 3, 17), 4, 3, dict(stride=2, pad=1)),
    ((5, 4, 11), 6, 2, dict(dilation=3, groups=2)),
    ((1, 33, 7), 35, 3, dict(pad=2)),
    ((2, 3, 5, 7), 4, 3, {}),
    ((3, 1, 9, 4), 16, (3, 2), dict(pad=(1, 0))),
    ((2, 5, 8, 11), 3, 1, {}),
    ((1, 4, 7, 5), 34, 3, dict(stride=2, pad=1, useBias=False)),
    ((2, 6, 9, 9), 6, 3, dict(groups=6, pad=1)),
    ((2, 4, 10, 7), 6, 3, dict(groups=2, stride=(2, 3), pad=(2, 1))),
    ((1, 3, 13, 12), 2, (5, 4), dict(stride=(3, 1), pad=(2, 3), dilation=(2, 1))),
    ((2, 2, 6, 6), 3, 2, dict(stride=4)),
    ((7, 3, 1, 1), 5, 1, {}),
    ((2, 17, 4, 4), 49, 4, dict(pad=3)),
    ((3, 33, 9, 7), 35, 3, dict(pad=1)),
    ((2, 32, 6, 5), 32, 3, {}),
    ((1, 37, 4, 4), 49, 3, dict(pad=2)),
    ((5, 40, 13, 30), 50, 3, dict(pad=(1, 2), useBias=False)),
    ((3, 16, 13, 13), 32, 4, {}),
    ((21, 19, 7, 12), 18, 4, dict(pad=(3, 1))),
    ((2, 16, 8, 31), 49, 4, dict(pad=(0, 2), useBias=False)),
    ((2, 6, 19, 35), 6, 3, dict(groups=6, pad=1)),
    ((11, 2, 14, 16), 2, 3, dict(groups=2, pad=(0, 2))),
    ((2, 5, 9, 17), 5, 5, dict(groups=5, pad=2)),
    ((3, 4, 17, 40), 4, 3, dict(groups=4, stride=2, pad=1)),
    ((2, 3, 20, 31), 3, 5, dict(groups=3, stride=2, pad=2)),
    ((1, 4, 15, 37), 4, 3, dict(groups=4, dilation=2, pad=2)),
    ((2, 4, 9, 50), 8, 3, dict(groups=4, stride=(1, 2), pad=1)),
    ((2, 3, 13, 67), 3, (3, 4), dict(groups=3, stride=(2, 3), pad=(1, 3), dilation=(2, 1))),
    ((1, 2, 300), 4, 7, dict(groups=2, stride=3, pad=3)),
    ((1, 1, 301), 1, 5, dict(stride=2, pad=2)),
    ((1, 2, 3, 4, 5), 3, 2, {}),
    ((2, 3, 5, 3, 4), 4, (2, 3, 1), dict(pad=(0, 1, 0), stride=(1, 2, 1))),
    ((2, 4, 4, 5, 3), 2, 2, dict(groups=2, dilation=(1, 2, 1), pad=1)),
]
everyCase = pytest.mark.parametrize("shape, outmaps, size, arguments", cases)


def make(shape, outmaps, size, arguments, rng=None):
    module = kinds[len(shape) - 2](shape[1], outmaps, size, **arguments)
    if rng is not None and module.b is not None:
        module.b.set(rng.standard_normal(module.b.shape).astype(np.float32))
    return module


def reference(module, x):
    """The formula of ConvND, tap by tap, in float64."""
    W = module.W.get().astype(np.float64).reshape(*module.W.shape[:2], *module.size)
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *((p, p) for p in module.pad)])
    groups, (outs, ins) = module.groups, W.shape[:2]
    places = [(size - d * (w - 1) - 1) // s + 1 for size, w, s, d in zip(
        x.shape[2:], module.size, module.stride, module.dilation, strict=True)]
    y = np.zeros((x.shape[0], outs, *places))
    for tap in product(*map(range, module.size)):
        met = x[(..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(
            tap, module.dilation, places, module.stride, strict=True)))]
        for group in range(groups):
            own = slice(group * outs // groups, (group + 1) * outs // groups)
            y[:, own] += np.einsum("oi,ni...->no...", W[(own, slice(None), *tap)],
                                   met[:, group * ins:(group + 1) * ins])
    if module.b is not None:
        y += module.b.get().astype(np.float64).reshape(1, -1, *(1,) * module.nd)
    return y


@everyCase
def test_output_is_the_cross_correlation(shape, outmaps, size, arguments, rng):
    module, x = make(shape, outmaps, size, arguments, rng), rng.standard_normal(shape)
    x = x.astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    expected = reference(module, x)
    assert y.shape == module.dataShapeFrom(shape) == expected.shape
    np.testing.assert_allclose(y, expected, 1e-5, 5e-5)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("shape, maps, size", [
    ((33, 32, 8, 8), 32, 3), ((9, 33, 17, 15), 65, 3), ((3, 64, 28, 28), 32, 3),
    ((2, 256, 32, 32), 32, 3), ((64, 16, 13, 13), 32, 4), ((5, 40, 29, 26), 50, 4),
    ((3, 64, 32, 32), 64, 4)])
def test_single_precision_is_near_double(shape, maps, size, exact, rng, monkeypatch):
    monkeypatch.setattr(Config, "exactConvolution", exact)
    places = [number + 3 - size for number in shape[2:]]
    x, g = rng.standard_normal(shape), rng.standard_normal((shape[0], maps, *places))
    results = []
    for dtype in (np.float32, np.float64):
        np.random.seed(0)
        module = Conv2D(shape[1], maps, size, pad=1)
        module.calcMode(dtype)
        y = module(gpuarray.to_gpu(x.astype(np.float32).astype(dtype))).get()
        module.backward(gpuarray.to_gpu(g.astype(np.float32).astype(dtype)))
        results.append([y, module.grad.get(), module.getVar("W").grad.get()])

    tolerance = 1e-5 if exact or Device.current().name == "cuda" else 1e-4
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, 0, tolerance * double.std())


@everyCase
@pytest.mark.parametrize("train", [True, False])
def test_gradients(shape, outmaps, size, arguments, train, rng):
    module = make(shape, outmaps, size, arguments, rng)
    module.trainMode() if train else module.evalMode()
    checkGradients(module, rng.standard_normal(shape), rng)


@everyCase
def test_gradients_of_single_precision_are_near_those_of_double(
        shape, outmaps, size, arguments, rng):
    x, g, results = rng.standard_normal(shape), None, []
    for dtype in (np.float32, np.float64):
        np.random.seed(0)
        module = make(shape, outmaps, size, arguments)
        module.calcMode(dtype)
        y = module(gpuarray.to_gpu(x.astype(np.float32).astype(dtype))).get()
        g = rng.standard_normal(y.shape) if g is None else g
        module.backward(gpuarray.to_gpu(g.astype(np.float32).astype(dtype)))
        results.append([module.grad.get(), *(var.grad.get() for var in module.vars.values())])

    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, 1e-5, 1e-4 * np.abs(double).max())


@pytest.mark.parametrize("shape, outmaps, size, arguments", cases[1::3])
@pytest.mark.parametrize("threads", [2, 5])
def test_bits_are_the_same_for_any_number_of_threads(shape, outmaps, size, arguments, threads, rng,
                                                     device):
    module = make((19, *shape[1:]), outmaps, size, arguments, rng)
    x = gpuarray.to_gpu(rng.standard_normal((19, *shape[1:])).astype(np.float32))
    results = []
    for number in (1, threads, threads):
        device.setThreads(number)
        y = module(x)
        g = gpuarray.to_gpu(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
        module.backward(g)
        results.append([y.get().tobytes(), module.grad.get().tobytes(),
                        module.getVar("W").grad.get().tobytes()])

    assert results[0] == results[1] == results[2]


@everyCase
def test_parameter_gradients_add_up(shape, outmaps, size, arguments, rng):
    module = make(shape, outmaps, size, arguments, rng)
    y = module(gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32)))
    g = gpuarray.to_gpu(rng.standard_normal(y.shape).astype(np.float32))
    module.backward(g)
    once = {name: var.grad.get() for name, var in module.vars.items()}

    module.backward(g, scale=-2.0, momentum=0.5)

    for name, first in once.items():
        np.testing.assert_allclose(
            module.getVar(name).grad.get(), -1.5 * first, 1e-4, 1e-4 * np.abs(first).max())


@pytest.mark.parametrize("isFrozen", [False, True])
@pytest.mark.parametrize("case", [case for case in largeConvs if case.kwargs.get("useBias", True)],
                         ids=repr)
def test_gradient_of_the_bias_is_a_sum_whoever_else_learns(case, isFrozen, rng):
    module = case.make(rng)
    out = module(gpuarray.to_gpu(case.data(rng)))
    grad = rng.standard_normal(out.shape) + 3
    W, b = module.vars["W"], module.vars["b"]
    filters, before = rng.standard_normal(W.data.shape), rng.standard_normal(b.data.shape)
    W.grad.set(filters.astype(np.float32))
    b.grad.set(before.astype(np.float32))
    if isFrozen:
        W.grad = None

    grad = gpuarray.to_gpu(grad.astype(np.float32))
    module.backward(grad, scale=0.5, momentum=0.25)

    sums = grad.get().astype(np.float64).sum(axis=(0, *range(2, grad.ndim)))
    np.testing.assert_allclose(
        b.grad.get().reshape(-1), 0.5 * sums + 0.25 * before.reshape(-1), 1e-5, 1e-4)


def test_parameters_have_puzzlelibs_shapes():
    assert Conv1D(3, 5, 7).W.shape == (5, 3, 1, 7) and Conv1D(3, 5, 7).b.shape == (1, 5, 1, 1)
    assert Conv2D(4, 6, (3, 2), groups=2).W.shape == (6, 2, 3, 2)
    assert Conv3D(3, 5, 2).b.shape == (1, 5, 1, 1, 1)
    assert (Conv2D(3, 5, 2).b.get() == 0).all()


def test_weights_start_by_their_scheme():
    W = Conv2D(40, 50, 5, initscheme="he").W.get()
    assert abs(W.std() - np.sqrt(2 / (40 * 25))) < 1e-3
    W = Conv2D(40, 50, 5).W.get()
    assert abs(np.abs(W).max() - np.sqrt(3 / (40 * 25))) < 1e-4


@pytest.mark.parametrize("make, message", [
    (lambda: Conv2D(0, 3, 1), "got inmaps=0, outmaps=3 and groups=1"),
    (lambda: Conv2D(3, 2.5, 1), "got inmaps=3, outmaps=2.5 and groups=1"),
    (lambda: Conv2D(4, 6, 1, groups=3), "groups must divide inmaps and outmaps"),
    (lambda: Conv2D(6, 4, 1, groups=3), "got inmaps=6, outmaps=4 and groups=3"),
    (lambda: Conv2D(3, 4, 0), "size must be an integer of at least 1, or 2 of them, got 0"),
    (lambda: Conv2D(3, 4, (3, 3, 3)), r"size must be .* 2 of them, got \(3, 3, 3\)"),
    (lambda: Conv2D(3, 4, 3, stride=0), "stride must be an integer of at least 1"),
    (lambda: Conv2D(3, 4, 3, pad=-1), "pad must be an integer of at least 0"),
    (lambda: Conv2D(3, 4, 3, pad=0.5), "pad must be an integer of at least 0, .* got 0.5"),
    (lambda: Conv3D(3, 4, 3, dilation=(1, 0, 1)), r"dilation must be .* got \(1, 0, 1\)"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("shape, message", [
    ((2, 3, 5), r"data must have 4 axes and 3 maps, got \(2, 3, 5\)"),
    ((2, 4, 5, 5), r"data must have 4 axes and 3 maps, got \(2, 4, 5, 5\)"),
    ((0, 3, 5, 5), r"from 1 to 2\*\*31 - 1 numbers, got shape \(0, 3, 5, 5\)"),
    ((2, 3, 2, 9), r"a window of \(5, 5\), \(1, 1\) apart, does not fit into data of \(2, 9\)"),
])
def test_refuses_bad_shapes(shape, message):
    with pytest.raises(ModuleError, match=message):
        Conv2D(3, 4, 5, pad=1)(gpuarray.zeros(shape))


def test_needs_weights():
    module = ConvND(2, 3, 4, 3, empty=True)
    assert module.W is module.b is None and module.vars == {}
    with pytest.raises(ModuleError, match="has no weights: set them with setVar"):
        module(gpuarray.zeros((2, 3, 5, 5)))
