"""The gradients of minidl.Functional: central differences, and identities of all data."""

import numpy as np
import pytest

from minidl import Functional
from tests.BatchNormReference import Problem, Reference, cases, onDevice, randomCases
from tests.Gradients import assertClose, finiteDifferences, mostEntries

everyCase = pytest.mark.parametrize("shape, axes", cases[:17], ids=str)  # the small ones


def check(function, backward, values, weights, rng, tolerance=1e-6):
    """
    Compares backward() with the differences of sum(weights * function()), by the names of `values`.
    """
    loss = lambda: (weights * function().get()).sum()
    for (name, value), grad in zip(values.items(), backward(), strict=True):
        assert grad.shape == value.shape, name
        entries = rng.permutation(value.size)[:mostEntries]
        expected = finiteDifferences(loss, value, entries)
        assertClose(grad.get().reshape(-1)[entries], expected, tolerance, name)


def device(problem):
    return onDevice(
        problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)


@everyCase
def test_train_by_central_differences(shape, axes, rng):
    problem = Problem(rng, shape, axes, np.float64)
    epsilon = 0.1 if np.prod([shape[axis] for axis in axes]) == 2 else 1e-5  # else flat, but for 0
    x, g, scale, bias, *_ = device(problem)

    def function():
        return Functional.batchNormTrain(x, scale, bias, axes, epsilon)[0]

    def backward():
        _, *saved = Functional.batchNormTrain(x, scale, bias, axes, epsilon)
        return Functional.batchNormBackward(x, g, scale, *saved, axes, epsilon)

    check(function, backward, {"data": x, "scale": scale, "bias": bias}, problem.g, rng)


@everyCase
def test_infer_by_central_differences(shape, axes, rng):
    problem = Problem(rng, shape, axes, np.float64, full=True)
    x, g, scale, bias, mean, var = device(problem)

    check(lambda: Functional.batchNormInfer(x, scale, bias, mean, var, axes, 1e-3),
          lambda: Functional.batchNormInferBackward(x, g, scale, mean, var, axes, 1e-3),
          {"data": x, "scale": scale, "bias": bias, "mean": mean, "var": var}, problem.g, rng)


@everyCase
def test_batch_normalization_by_central_differences(shape, axes, rng):
    problem = Problem(rng, shape, axes, np.float64, full=True)
    x, g, gamma, beta, mean, std = device(problem)

    check(lambda: Functional.batchNormalization(x, gamma, beta, mean, std),
          lambda: Functional.batchNormalizationBackward(x, g, gamma, mean, std),
          {"data": x, "gamma": gamma, "beta": beta, "mean": mean, "std": std}, problem.g, rng)


def train(x, axes, g, scale=1.0, epsilon=1e-5):
    """[out, mean, invStd, dx, dScale, dBias] as host arrays, with 1 for each of the axes."""
    small = tuple(1 if at in axes else size for at, size in enumerate(x.shape))
    data, grad, scale, bias = onDevice(x, g, np.full(small, scale), np.zeros(small))
    out, mean, invStd = Functional.batchNormTrain(data, scale, bias, axes, epsilon)
    grads = Functional.batchNormBackward(data, grad, scale, mean, invStd, axes, epsilon)
    return [array.get() for array in (out, mean, invStd, *grads)]


def test_sums_of_the_gradient_for_200_shapes(rng):  # X12
    for x, g, axes in randomCases(rng):
        _, _, invStd, dx, dScale, _ = train(x, axes, g, scale=1.7)

        xHat = Reference(x, axes, 1).out
        atol = 1e-11 * invStd.max() * x.size
        np.testing.assert_allclose(dx.sum(axes), 0, atol=atol)
        np.testing.assert_allclose((dx * xHat).sum(axes, keepdims=True),
                                   1.7 * invStd * dScale * 1e-5 * invStd ** 2, atol=atol)


def test_what_is_added_to_a_channel_moves_its_mean_only_for_200_shapes(rng):
    for x, g, axes in randomCases(rng):
        plain = train(x, axes, g)
        shift = rng.uniform(-50, 50, plain[1].shape)

        moved = train(x + shift, axes, g)

        np.testing.assert_allclose(moved[1], plain[1] + shift, rtol=1e-12, atol=1e-12)
        atol = 1e-11 * plain[2].max() ** 2
        for at in (0, 2, 3, 4, 5):
            np.testing.assert_allclose(moved[at], plain[at], rtol=1e-9, atol=atol)


def test_what_multiplies_the_data_divides_their_gradient_for_200_shapes(rng):
    for x, g, axes in randomCases(rng):
        factor = rng.uniform(1, 4)
        plain, wide = train(x, axes, g), train(x * factor, axes, g, epsilon=1e-5 * factor ** 2)

        atol = 1e-11 * plain[2].max() ** 2
        for at, expected in enumerate(plain):
            expected = expected * [1, factor, 1 / factor, 1 / factor, 1, 1][at]
            np.testing.assert_allclose(wide[at], expected, rtol=1e-9, atol=atol)


def test_gradients_are_linear_for_200_shapes(rng):
    for x, g, axes in randomCases(rng):
        other = rng.standard_normal(g.shape)
        one, two, both = (train(x, axes, grad) for grad in (g, other, 2 * g - 3 * other))

        for at in (3, 4, 5):
            np.testing.assert_allclose(
                both[at], 2 * one[at] - 3 * two[at], rtol=1e-9, atol=1e-11 * one[2].max())
