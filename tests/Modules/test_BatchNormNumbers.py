"""Batch normalization where numbers are hard: cancellation, underflow, NaN, degenerate batches."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNormND

forms = pytest.mark.parametrize("shape", [(64, 5), (8, 5, 3, 4), (2, 5, 1000), (4099, 5)])
rounding = 2.0 ** -24


def make(shape, dtype=np.float32, **arguments):
    module = BatchNormND(len(shape) - 2, shape[1], sscale=0, **arguments)
    module.calcMode(dtype)
    return module


def axesOf(x):
    return (0, *range(2, x.ndim))


def normalized(x, epsilon=1e-5):
    x = x.astype(np.float64)
    axes = axesOf(x)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + epsilon)


def run(module, x, grad=None):
    """(output, input gradient) as host arrays."""
    y = module(gpuarray.to_gpu(x.astype(module.calctype))).get()
    grad = np.ones_like(y) if grad is None else grad
    module.backward(gpuarray.to_gpu(grad.astype(module.calctype)))
    return y, module.grad.get()


@forms
@pytest.mark.parametrize("mean", [1e4, -1e4, 1e6])
@pytest.mark.parametrize("deviation", [1, 0.05])
def test_a_huge_mean_costs_no_more_than_its_own_rounding(shape, mean, deviation, rng):
    x = (rng.standard_normal(shape) * deviation + mean).astype(np.float32)
    module = make(shape)

    y, _ = run(module, x)

    invStd = 1 / np.sqrt(x.astype(np.float64).var(axesOf(x)).min() + 1e-5)
    np.testing.assert_allclose(y, normalized(x), rtol=1e-5, atol=4 * rounding * abs(mean) * invStd)
    expected = x.astype(np.float64)
    np.testing.assert_allclose(
        module.mean.get().ravel(), expected.mean(axesOf(x)), rtol=4 * rounding)
    np.testing.assert_allclose(
        module.var.get().ravel(), expected.var(axesOf(x), ddof=1), rtol=2e-4)


@forms
@pytest.mark.parametrize("deviation", [1e-3, 1e-6, 1e-20])
def test_a_tiny_variance_gives_way_to_epsilon(shape, deviation, rng):
    x = (rng.standard_normal(shape) * deviation).astype(np.float32)

    y, _ = run(make(shape), x)

    np.testing.assert_allclose(y, normalized(x), rtol=2e-5, atol=1e-5 * np.abs(normalized(x)).max())


@forms
@pytest.mark.parametrize("value", [0, 3.7, 1e4, -0.1])
def test_a_constant_channel_becomes_the_bias(shape, value, rng):
    module, x = make(shape), rng.standard_normal(shape).astype(np.float32)
    module.bias.fill(0.5)
    x[:, 2] = value
    g = rng.standard_normal(shape).astype(np.float32)

    y, dx = run(module, x, g)

    tolerance = 4 * rounding * abs(value) / np.sqrt(1e-5)
    np.testing.assert_allclose(y[:, 2], 0.5, rtol=0, atol=tolerance)
    assert 0 <= module.var.get().ravel()[2] < 1e-10 * max(value ** 2, 1)
    expected = (g[:, 2] - g[:, 2].astype(np.float64).mean()) / np.sqrt(1e-5)
    np.testing.assert_allclose(dx[:, 2], expected, rtol=1e-4, atol=0.02)


def test_all_zero_gives_exactly_the_bias_and_no_gradient_of_scale(rng):
    module = make((7, 3))
    module.bias.set(rng.standard_normal((1, 3)).astype(np.float32))

    y, _ = run(module, np.zeros((7, 3)), rng.standard_normal((7, 3)))

    assert (y == module.bias.get()).all()
    assert (module.getVar("scale").grad.get() == 0).all()


@forms
def test_channels_of_very_different_sizes_are_each_accurate(shape, rng):
    sizes = np.array([1e-6, 1, 1e15, 1e3, 1e6]).reshape(-1, *[1] * (len(shape) - 2))
    x = (rng.standard_normal(shape) * sizes).astype(np.float32)

    y, _ = run(make(shape), x)

    for channel in range(5):
        expected = normalized(x)[:, channel]
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(y[:, channel], expected, rtol=0, atol=atol)


@forms
@pytest.mark.parametrize("place", ["first", "last"])
def test_an_outlier_does_not_spoil_the_statistics(shape, place, rng):
    x = rng.standard_normal(shape).astype(np.float32)
    end = 0 if place == "first" else -1
    x.reshape(shape[0], 5, -1)[end, :, end] = 1e8
    module = make(shape)

    y, _ = run(module, x)

    expected = x.astype(np.float64)
    np.testing.assert_allclose(
        module.mean.get().ravel(), expected.mean(axesOf(x)), rtol=5e-6)
    np.testing.assert_allclose(
        module.var.get().ravel(), expected.var(axesOf(x), ddof=1), rtol=1e-5)
    np.testing.assert_allclose(y, normalized(x), rtol=4e-5, atol=4e-6 * np.abs(normalized(x)).max())


@forms
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_stay_in_their_channel(shape, special, rng):
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    clean, spoiled = make(shape), make(shape)
    expected = run(clean, x, g)
    x.reshape(shape[0], 5, -1)[1, 3, 0] = special

    results = run(spoiled, x, g)

    others = [0, 1, 2, 4]
    for result, one in zip(results, expected, strict=True):
        assert np.array_equal(result[:, others], one[:, others])
        assert np.isnan(result[1, 3]).reshape(-1)[0]
    for name, value in (("mean", special), ("var", np.nan)):
        one, two = (getattr(module, name).get().ravel() for module in (clean, spoiled))
        assert np.array_equal(one[others], two[others])
        np.testing.assert_equal(two[3], np.float32(value))


@pytest.mark.parametrize("shape", [(1, 3, 5), (1, 3, 2, 4), (1, 3, 1, 1, 2)])
def test_one_sample_is_enough_with_space(shape, rng):
    x = rng.standard_normal(shape).astype(np.float32)

    y, _ = run(make(shape), x)

    np.testing.assert_allclose(y, normalized(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 2), (2, 3, 1, 1)])
def test_two_values_become_plus_and_minus_one(shape, rng):
    module, x = make(shape), rng.standard_normal(shape).astype(np.float32) * 1000
    g = rng.standard_normal(shape)

    y, dx = run(module, x, g)

    np.testing.assert_allclose(np.abs(y), 1, rtol=1e-5)
    np.testing.assert_allclose(dx, 0, atol=1e-6)
    np.testing.assert_allclose(
        module.var.get().ravel(), 2 * x.astype(np.float64).var(axesOf(x)), rtol=1e-5)


@forms
@pytest.mark.parametrize("value", [0, 1, -3])
def test_a_constant_gradient_moves_only_the_bias(shape, value, rng):
    module, x = make(shape), rng.standard_normal(shape)

    _, dx = run(module, x, np.full(shape, value))

    count = x.size // 5
    np.testing.assert_allclose(dx, 0, atol=2e-5)
    np.testing.assert_allclose(module.getVar("scale").grad.get(), 0, atol=1e-5 * count)
    np.testing.assert_allclose(module.getVar("bias").grad.get(), value * count, rtol=1e-5)


@forms
@pytest.mark.parametrize("scale", [0, -2, 1e3])
def test_gradient_is_proportional_to_the_scale(shape, scale, rng):
    x, g = rng.standard_normal((2, *shape))
    plain, scaled = make(shape), make(shape)
    scaled.scale.fill(scale)

    _, expected = run(plain, x, g)
    _, dx = run(scaled, x, g)

    np.testing.assert_allclose(dx, scale * expected, rtol=1e-4, atol=1e-6 * abs(scale))
    steps = [module.getVar("scale").grad.get() for module in (plain, scaled)]
    assert np.array_equal(*steps)


def test_gradients_obey_their_identities_for_200_shapes(rng):
    for _ in range(200):
        shape = (*rng.integers(1, 7, 2), *rng.integers(1, 5, rng.integers(0, 4)))
        if np.prod(shape) // shape[1] < 2:
            continue
        module, x, g = make(shape, np.float64), *rng.standard_normal((2, *map(int, shape)))

        _, dx = run(module, x, g)

        var = x.var(axesOf(x))
        scaleGrad = module.getVar("scale").grad.get().ravel()
        np.testing.assert_allclose(dx.sum(axesOf(x)), 0, atol=1e-9)
        np.testing.assert_allclose(
            (dx * normalized(x)).sum(axesOf(x)), scaleGrad * 1e-5 / (var + 1e-5) ** 1.5,
            rtol=1e-6, atol=1e-9)


def test_float64_data_is_computed_in_double(rng):
    x = rng.standard_normal((64, 3)) + 1e6
    module = make(x.shape, np.float64)

    y, _ = run(module, x)

    np.testing.assert_allclose(y, normalized(x), rtol=0, atol=4 * 2.0 ** -53 * 1e6 + 1e-12)
    np.testing.assert_allclose(module.var.get().ravel(), x.var(0, ddof=1), rtol=1e-9)
