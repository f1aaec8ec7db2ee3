"""What minidl.Functional promises, by rows of the specification: conventions, axes, layouts."""

import inspect

import numpy as np
import pytest

from minidl import Functional
from minidl.Backend import gpuarray
from tests.BatchNormReference import Problem, assertClose, cases, onDevice

everyCase = pytest.mark.parametrize("shape, axes", cases, ids=str)
everyLayout = pytest.mark.parametrize("full", [False, True], ids=["squeezed", "full"])
everyType = pytest.mark.parametrize(
    "dtype", [dtype for dtype, _ in gpuarray.dtypesSupported()], ids=lambda t: np.dtype(t).name)


def trainOn(problem, axes=None, running=False, **options):
    small = problem.scale, problem.bias, problem.mean, problem.var
    x, scale, bias, mean, var = onDevice(problem.x, *small)
    options.update({"runningMean": mean, "runningVar": var} if running else {})
    return Functional.batchNormTrain(
        x, scale, bias, problem.axes if axes is None else axes, **options)


def test_signatures_are_the_contract():
    expected = {
        "batchNormTrain": "(data, scale, bias, axes='spatial', epsilon=1e-05, factor=None, "
                          "runningMean=None, runningVar=None, unbiased=True)",
        "batchNormInfer": "(data, scale, bias, mean, var, axes='spatial', epsilon=1e-05, out=None)",
        "batchNormBackward": "(data, grad, scale, savemean, saveinvvar, axes, epsilon)",
        "batchNormInferBackward": "(data, grad, scale, mean, var, axes, epsilon)",
        "batchNormalization": "(inputs, gamma, beta, mean, std, mode='low_mem')",
    }
    for name, signature in expected.items():
        assert str(inspect.signature(getattr(Functional, name))) == signature


# The same batch under the conventions of five libraries (table 0)

conventions = {
    # epsilon, factor, unbiased, out[0, 0], 1 / std, new mean, new var, dx[:, 0]
    "PuzzleLib": (1e-5, 1.0, True, -1.224744616, 0.204124103, 6, 36,
                  [0.034020726, -0.068041368, 0.034020641]),
    "Aesara": (1e-4, 0.1, True, -1.224742320, 0.204123720, 0.6, 4.5,
               [0.034021045, -0.068041240, 0.034020195]),
    "torch": (1e-5, 0.1, True, -1.224744616, 0.204124103, 0.6, 4.5,
              [0.034020726, -0.068041368, 0.034020641]),
    "Lasagne": (1e-4, 0.1, False, -1.224742320, 0.204123720, 0.6, 0.9 + 2.4,
                [0.034021045, -0.068041240, 0.034020195]),
    "MXNet": (1e-3, 1 - 0.9, False, -1.224719357, 0.204119893, 0.6, 3.3,
              [0.034024234, -0.068039964, 0.034015730]),
}


@pytest.mark.parametrize("library", conventions)
def test_one_batch_under_the_conventions_of(library):
    epsilon, factor, unbiased, first, invStd, newMean, newVar, dx = conventions[library]
    x = np.arange(18.0).reshape(3, 6)
    grad = np.zeros((3, 6))
    grad[0, 0] = 1
    data, one, zero, g = onDevice(x, np.ones(6), np.zeros(6), grad)

    out, mean, saved, *new = Functional.batchNormTrain(
        data, one, zero, "spatial", epsilon, factor, zero, one, unbiased)
    grads = Functional.batchNormBackward(data, g, one, mean, saved, "spatial", epsilon)

    near = {"rtol": 0, "atol": 6e-10}  # as many digits as the table has
    np.testing.assert_allclose(out.get()[0, 0], first, **near)
    assert (out.get()[1] == 0).all() and (out.get()[0] == -out.get()[2]).all()
    np.testing.assert_allclose(mean.get(), np.arange(6, 12))
    np.testing.assert_allclose(saved.get(), invStd, **near)
    np.testing.assert_allclose([array.get()[0] for array in new], [newMean, newVar], rtol=1e-12)
    np.testing.assert_allclose(grads[0].get()[:, 0], dx, **near)
    np.testing.assert_allclose([grads[1].get()[0], grads[2].get()[0]], [first, 1], **near)
    if library == "Lasagne":  # averages 1 / std, by the caller
        assert 0.9 + 0.1 * saved.get()[0] == pytest.approx(0.920412372, abs=6e-10)


def test_inference_as_aesara_documents_it():  # A21
    x, two, one, zero, four = onDevice(
        np.arange(18.0).reshape(3, 6), *(np.full(6, value) for value in (2.0, 1.0, 0.0, 4.0)))
    out = Functional.batchNormInfer(x, two, one, zero, four, "per-activation", 1e-4)
    np.testing.assert_allclose(out.get()[0, :3], [1, 1.9999875, 2.999975], rtol=1e-9)


def test_a_batch_of_two_worked_out():  # T10, X16
    x, g, mean, var, one, zero = onDevice(*map(np.float64, (
        [[0, 1], [2, 5]], [[1, 2], [3, 4]], [1, 2], [4, 9], [1, 1], [0, 0])))

    grads = Functional.batchNormInferBackward(x, g, one, mean, var, "spatial", 1e-5)
    out, *_ = Functional.batchNormTrain(x, one, zero)

    np.testing.assert_allclose(
        grads[0].get(), [[.49999938, .66666627], [1.49999809, 1.33333254]], rtol=1e-7)
    np.testing.assert_allclose(
        out.get(), [[-.99999499, -.99999869], [.99999499, .99999881]], rtol=1e-7)


# Axes and layouts (A2 to A6, A16, A20, M1, M3, M9, L2, L3)

@everyType
@everyLayout
@everyCase
def test_train(shape, axes, full, dtype, rng):
    problem = Problem(rng, shape, axes, dtype, full)
    expected = problem.trained()

    out, mean, invStd, newMean, newVar = trainOn(problem, running=True, factor=0.3)

    assert out.shape == shape and out.dtype == dtype
    for array in (mean, invStd, newMean, newVar):
        assert array.shape == problem.small and array.dtype == problem.sumType
    assertClose(out, expected.out, dtype)
    assertClose(mean, expected.mean, problem.sumType)
    assertClose(invStd, expected.invStd, problem.sumType)
    oldMean, oldVar = problem.inFull(problem.mean, problem.var)
    m = expected.count
    assertClose(newMean, 0.7 * oldMean + 0.3 * expected.mean, problem.sumType)
    assertClose(newVar, 0.7 * oldVar + 0.3 * expected.var * m / (m - 1), problem.sumType)


@everyType
@everyLayout
@everyCase
def test_train_backward(shape, axes, full, dtype, rng):
    problem = Problem(rng, shape, axes, dtype, full)
    expected = problem.trained()
    x, g, scale, mean, invStd = onDevice(
        problem.x, problem.g, problem.scale, *(array.reshape(problem.small).astype(problem.sumType)
                                               for array in (expected.mean, expected.invStd)))

    grads = Functional.batchNormBackward(x, g, scale, mean, invStd, axes, 1e-5)

    assert [array.shape for array in grads] == [shape, problem.small, problem.small]
    assertClose(grads[0], expected.grad, dtype, 4, size=expected.gradSize)
    assertClose(grads[1], expected.scaleGrad, problem.sumType)
    assertClose(grads[2], expected.biasGrad, problem.sumType, factor=4)


@everyType
@everyLayout
@everyCase
def test_inference_and_its_five_gradients(shape, axes, full, dtype, rng):  # A21, A22, A25, L17, X16
    problem = Problem(rng, shape, axes, dtype, full)
    expected = problem.inferred()
    x, g, scale, bias, mean, var = onDevice(
        problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)

    out = Functional.batchNormInfer(x, scale, bias, mean, var, axes)
    grads = Functional.batchNormInferBackward(x, g, scale, mean, var, axes, 1e-5)

    assert [array.shape for array in (out, *grads)] == [shape, shape] + [problem.small] * 4
    assertClose(out, expected.out, dtype)
    names = ["grad", "scaleGrad", "biasGrad", "meanGrad", "varGrad"]
    for name, array in zip(names, grads, strict=True):
        kind = dtype if name == "grad" else problem.sumType
        assertClose(array, getattr(expected, name), kind, factor=4)


@pytest.mark.parametrize("shape, same", [
    ((4, 3), ["per-activation", "peractivation", 0, -2, (0,), [0], np.array([0]), np.int64(0)]),
    ((4, 3), ["spatial", (0,)]),  # A3
    ((4, 3, 5), ["spatial", (0, 2), (2, 0), [-1, 0], np.array([2, 0])]),
    ((4, 3, 5, 2), ["spatial", (0, 2, 3), (3, 0, 2), (-1, -2, -4)]),
    ((4, 3, 5, 2), ["per-activation", "peractivation", 0, (0,)]),  # A2, K4
    ((4, 3, 5, 2, 2), ["spatial", (0, 2, 3, 4)]),
    ((4, 3, 5, 2), [(1, 3), (3, 1), {1, 3}]),
])
def test_axes_have_many_spellings(shape, same, rng):
    axes = {"spatial": (0, *range(2, len(shape)))}.get(same[0], same[0])
    axes = (0,) if isinstance(axes, str) or axes == 0 else axes
    problem = Problem(rng, shape, axes)

    first, *others = ([array.get().tobytes() for array in trainOn(problem, axes=spelling)]
                      for spelling in same)

    assert all(other == first for other in others)


# Running statistics (A10 to A15, A18)

def test_without_running_statistics_there_are_three_results(rng):
    problem = Problem(rng, (4, 3), (0,))
    three, five = trainOn(problem), trainOn(problem, running=True)
    assert len(three) == 3 and len(five) == 5
    assert all((a.get() == b.get()).all() for a, b in zip(three, five, strict=False))
    assert len(trainOn(problem, factor=0.7)) == 3  # a factor alone says nothing


def test_factor_0_keeps_1_replaces_and_none_is_a_tenth(rng):
    problem = Problem(rng, (5, 3, 7), (0, 2))
    problem.mean *= 1e8

    kept = trainOn(problem, running=True, factor=0)
    replaced = trainOn(problem, running=True, factor=1)
    default, tenth = (trainOn(problem, running=True, **options)
                      for options in ({}, {"factor": 0.1}))

    assert (kept[3].get() == problem.mean).all() and (kept[4].get() == problem.var).all()
    assert (replaced[3].get() == replaced[1].get()).all()
    assertClose(replaced[4], problem.x.astype(np.float64).var((0, 2), ddof=1), np.float32)
    assert (default[3].get() == tenth[3].get()).all() and (default[4].get() == tenth[4].get()).all()


def test_a_tiny_variance_replaces_a_running_one_without_loss(rng):
    x = rng.standard_normal((64, 3)) * 1e-4
    data, one, zero = onDevice(*(a.astype(np.float32) for a in (x, np.ones(3), np.zeros(3))))

    *_, var = Functional.batchNormTrain(data, one, zero, "spatial", 1e-5, 1.0, zero, one)

    np.testing.assert_allclose(var.get(), x.var(0, ddof=1), rtol=1e-5)


def test_running_variance_may_stay_biased(rng):  # M7
    problem = Problem(rng, (4, 3, 2), (0, 2), np.float64)
    *_, var = trainOn(problem, running=True, factor=0.25, unbiased=False)
    expected = 0.75 * problem.var + 0.25 * problem.trained().var.ravel()
    np.testing.assert_allclose(var.get(), expected, rtol=1e-12)
