"""Batches worked out by hand, through modules that follow the conventions of five libraries."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNorm1D, BatchNorm2D, BatchNorm3D, BatchNormAxes

x = np.arange(18.0).reshape(3, 6)

# The same numbers as a vector, a sequence, an image, a volume; with the channels last, or first.
forms = {
    "BatchNorm": (lambda **options: BatchNorm(6, **options), lambda a: a),
    "BatchNorm1D": (lambda **options: BatchNorm1D(6, **options), lambda a: a.T[None]),
    "BatchNorm2D": (lambda **options: BatchNorm2D(6, **options), lambda a: a.T[None, :, None]),
    "BatchNorm3D": (
        lambda **options: BatchNorm3D(6, **options), lambda a: a[:, :, None, None, None]),
    "auto": (lambda **options: BatchNormAxes((None, 6), **options), lambda a: a),
    "channels last": (
        lambda **options: BatchNormAxes((1, None, 6), (0, 1), **options), lambda a: a[None]),
    "channels first": (lambda **options: BatchNormAxes((6, 3), -1, **options), lambda a: a.T),
    "channels apart": (
        lambda **options: BatchNormAxes((2, 3, 3), 1, **options),
        lambda a: a.reshape(3, 2, 3).swapaxes(0, 1)),
}
everyForm = pytest.mark.parametrize("form", forms)

torchs = {"initFactor": 0, "minFactor": 0.1, "sscale": 0}  # momentum 0.1
libraries = {
    # options; out[0, 0], 1 / std, running mean, running var, dx[:, 0], dscale
    "PuzzleLib": (
        dict(sscale=0), -1.224744616, 0.204124103, 6, 36,
        [0.034020726, -0.068041368, 0.034020641], -1.224744616),
    "Aesara": (
        dict(torchs, epsilon=1e-4), -1.224742320, 0.204123720, 0.6, 4.5,
        [0.034021045, -0.068041240, 0.034020195], -1.22474232),
    "torch": (
        torchs, -1.224744616, 0.204124103, 0.6, 4.5,
        [0.034020726, -0.068041368, 0.034020641], -1.224744616),
    "Lasagne": (
        dict(torchs, epsilon=1e-4, runningStat="invstd"), -1.224742320, 0.204123720, 0.6,
        0.920412372, [0.034021045, -0.068041240, 0.034020195], -1.22474232),
    "MXNet": (
        dict(initFactor=0, minFactor=1 - 0.9, epsilon=1e-3, unbiased=False, fixScale=True),
        -1.224719357, 0.204119893, 0.6, 3.3, [0.034024234, -0.068039964, 0.034015730], 0),
}


def near(actual, expected, atol=6e-10):  # as many digits as there are
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def made(form, **options):
    """(module in float64, a function from rows of 6 channels to its data)"""
    make, arranged = forms[form]
    module = make(**options)
    module.calcMode(np.float64)
    return module, lambda rows: gpuarray.to_gpu(np.ascontiguousarray(arranged(rows)))


@everyForm
@pytest.mark.parametrize("library", libraries)
def test_one_batch_under_the_conventions_of(library, form):  # table 0, K1, K2, K6, L12, M7
    options, first, invStd, mean, var, dx, dScale = libraries[library]
    module, arranged = made(form, **options)
    g = np.zeros((3, 6))
    g[0] = 1

    out = module(arranged(x)).get()
    module.backward(arranged(g))

    near(out, arranged(np.outer([first, 0, -first], np.ones(6))).get())
    near(module.savemean.get().ravel(), np.arange(6, 12))
    near(module.saveinvvar.get().ravel(), invStd)
    near(module.mean.get().ravel(), mean * np.arange(6, 12) / 6)
    near(module.var.get().ravel(), var)
    near(module.grad.get(), arranged(np.outer(dx, np.ones(6))).get())
    near(module.getVar("scale").grad.get().ravel(), dScale)
    near(module.getVar("bias").grad.get().ravel(), 1)


@everyForm
def test_cumulative_averages(form):  # T9, K10, L25
    module, arranged = made(form, initFactor=1, minFactor=0)

    for shift, mean in enumerate([6, 6.5, 7]):
        module(arranged(x + shift))
        near(module.mean.get().ravel(), mean + np.arange(6))

    near(module.var.get().ravel(), 36)


@everyForm
def test_factors_0_and_1_freeze_and_replace(form):  # T21, P6, L5
    for factor, means in [(0, [0, 0]), (1, [6, 7])]:
        module, arranged = made(form, initFactor=factor, minFactor=factor)
        for shift, mean in enumerate(means):
            module(arranged(x + shift))
            near(module.mean.get().ravel(), mean + np.arange(6) * factor)
        near(module.var.get().ravel(), 36 if factor else 1)


@everyForm
def test_given_statistics(form):  # A21, A22, L15
    module, arranged = made(form, epsilon=1e-4, scaleInit=2, biasInit=1, varInit=4)
    module.evalMode()

    out = module(arranged(x)).get()

    rows = 1 + 2 * x / np.sqrt(4 + 1e-4)
    near(rows[0, :3], [1, 1.9999875, 2.999975], atol=3e-8)
    near(out, arranged(rows).get())


small = np.array([[0.0, 1], [2, 5]])


def test_evaluation_by_hand():  # X16
    module = BatchNorm(2, scaleInit=1, meanInit=[1, 2], varInit=[4, 9])
    module.calcMode(np.float64)
    module.evalMode()

    out = module(gpuarray.to_gpu(small)).get()
    module.backward(gpuarray.to_gpu(np.array([[1.0, 2], [3, 4]])))

    near(out, [[-0.5 * 0.99999875, -1 / 3 * 0.99999944], [0.5 * 0.99999875, 0.99999944]], 1e-8)
    near(module.grad.get(), [[.49999938, .66666627], [1.49999809, 1.33333254]], 1e-7)


@pytest.mark.parametrize("train", [True, False])
def test_without_running_statistics_the_batch_serves_in_both_modes(train):  # T10
    module = BatchNorm(2, sscale=0, trackRunningStats=False)
    module.calcMode(np.float64)
    module.train = train

    out = module(gpuarray.to_gpu(small)).get()

    near(out, [[-.99999499, -.99999869], [.99999499, .99999881]], 2e-7)
    near(out, (small - small.mean(0)) / np.sqrt(small.var(0) + 1e-5), 1e-14)


def test_three_samples_as_torch_prints_them():  # T4: torch.manual_seed(0); torch.randn(3, 3)
    data = np.float32([[1.5410, -0.2934, -2.1788], [0.5684, -1.0845, -1.3986],
                       [0.4033, 0.8380, -0.7193]])

    out = BatchNorm(3, sscale=0)(gpuarray.to_gpu(data)).get()

    near(out[0], [1.4014, -0.1438, -1.2519], 1e-4)
