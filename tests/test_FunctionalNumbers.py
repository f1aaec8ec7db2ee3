"""minidl.Functional where numbers are hard, over any axes."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Functional import batchNormBackward, batchNormInfer, batchNormTrain
from tests.BatchNormReference import Problem, cases, onDevice

# One form for each way through memory, all of 6 channels; the second line's are transposed.
forms = pytest.mark.parametrize("shape, axes", [
    ((64, 6), (0,)), ((4099, 6), (0,)), ((3, 4, 16, 6), (0, 1, 2)), ((8, 6, 3, 4), (0, 2, 3)),
    ((2, 6, 1000), (0, 2)), ((6, 700), (1,)), ((2, 3, 31, 13), (2, 3)),
    ((2, 90, 3), (1,)), ((9, 2, 30, 3), (0, 2)), ((5, 2, 6, 3, 4), (0, 2, 4)),
    ((3, 40, 2, 30), (-3, -1))])
rounding = 2.0 ** -24


def train(x, axes, g=None, scale=1, bias=0, dtype=np.float32, epsilon=1e-5):
    """[out, mean, invStd, new mean, new var (factor 1), dx, dScale, dBias] as host arrays."""
    axes = tuple(axis % x.ndim for axis in axes)
    small = tuple(1 if at in axes else size for at, size in enumerate(x.shape))
    sumType = np.float64 if dtype == np.float64 else np.float32
    data, grad = onDevice(x.astype(dtype), (np.ones_like(x) if g is None else g).astype(dtype))
    scale, bias, mean, var = onDevice(
        *(np.broadcast_to(value, small).astype(sumType) for value in (scale, bias, 0, 1)))

    results = batchNormTrain(data, scale, bias, axes, epsilon, 1, mean, var)
    grads = batchNormBackward(data, grad, scale, *results[1:3], axes, epsilon)
    return [array.get() for array in (*results, *grads)]


def channels(x, axes):
    """The data as (channels, numbers in each)."""
    axes = [axis % x.ndim for axis in axes]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = int(np.prod([x.shape[axis] for axis in kept]))
    return x.transpose(*kept, *axes).reshape(rows, -1)


def inPlaceOf(shape, axes, rows):
    """Data of a shape whose channels are the rows."""
    axes = [axis % len(shape) for axis in axes]
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = kept + axes
    return np.ascontiguousarray(
        rows.reshape([shape[axis] for axis in order]).transpose(np.argsort(order)))


def normalized(rows, epsilon=1e-5):
    rows = rows.astype(np.float64)
    return (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + epsilon)


def makeRows(rng, shape):
    return rng.standard_normal((6, int(np.prod(shape)) // 6))


def trainRows(rows, shape, axes, g=None, **options):
    """`train` with data, gradient and their results as rows."""
    place = lambda values: inPlaceOf(shape, axes, values)
    g = None if g is None else place(g.astype(np.float32))
    out, *small, dx, dScale, dBias = train(place(rows), axes, g, **options)
    small = [array.ravel() for array in (*small, dScale, dBias)]
    return channels(out, axes), *small[:4], channels(dx, axes), *small[4:]


@forms
@pytest.mark.parametrize("mean", [1e4, -1e4, 1e6])
@pytest.mark.parametrize("deviation", [1, 0.05])
def test_a_huge_mean_costs_no_more_than_its_own_rounding(shape, axes, mean, deviation, rng):  # X1
    rows = (makeRows(rng, shape) * deviation + mean).astype(np.float32)

    out, batchMean, invStd, newMean, newVar, *_ = trainRows(rows, shape, axes)

    exact = rows.astype(np.float64)
    expected = 1 / np.sqrt(exact.var(1) + 1e-5)
    atol = 4 * rounding * abs(mean) * expected.max()
    np.testing.assert_allclose(out, normalized(rows), rtol=1e-5, atol=atol)
    np.testing.assert_allclose(batchMean, exact.mean(1), rtol=4 * rounding)
    np.testing.assert_allclose(invStd, expected, rtol=1e-4)
    np.testing.assert_allclose(newVar, exact.var(1, ddof=1), rtol=2e-4)


@forms
@pytest.mark.parametrize("deviation", [1e-3, 1e-6, 1e-20])
def test_a_tiny_variance_gives_way_to_epsilon(shape, axes, deviation, rng):  # X2
    rows = (makeRows(rng, shape) * deviation).astype(np.float32)

    out, _, invStd, _, newVar, dx, *_ = trainRows(rows, shape, axes)

    expected = normalized(rows)
    np.testing.assert_allclose(out, expected, rtol=2e-5, atol=1e-5 * np.abs(expected).max())
    var = rows.astype(np.float64).var(1, ddof=1)
    np.testing.assert_allclose(newVar, var, rtol=1e-4, atol=1e-37)
    assert np.isfinite(dx).all() and (newVar >= 0).all()


@forms
@pytest.mark.parametrize("value", [0, 3.7, 1e4, -0.1])
def test_a_constant_channel_becomes_the_bias(shape, axes, value, rng):  # X3
    rows, g = makeRows(rng, shape), makeRows(rng, shape)
    rows[2] = value

    out, _, _, _, newVar, dx, *_ = trainRows(rows, shape, axes, g, bias=0.5, scale=2)

    tolerance = 4 * rounding * abs(value) / np.sqrt(1e-5)
    np.testing.assert_allclose(out[2], 0.5, rtol=0, atol=tolerance)
    assert 0 <= newVar[2] < 1e-10 * max(value ** 2, 1)
    expected = 2 * (g[2] - g[2].mean()) / np.sqrt(1e-5)
    np.testing.assert_allclose(dx[2], expected, rtol=1e-4, atol=0.02)


@forms
def test_all_zero_gives_exactly_the_bias(shape, axes, rng):  # X4
    rows, g = np.zeros((6, int(np.prod(shape)) // 6)), makeRows(rng, shape)

    out, *_, dScale, _ = trainRows(rows, shape, axes, g, scale=3, bias=-0.3)

    assert (out == np.float32(-0.3)).all() and (dScale == 0).all()


@forms
def test_channels_of_very_different_sizes_are_each_accurate(shape, axes, rng):  # X5
    rows = makeRows(rng, shape) * np.array([[1e-6], [1], [1e15], [1e3], [1e6], [0.1]])
    rows = rows.astype(np.float32)

    out, mean, _, _, newVar, *_ = trainRows(rows, shape, axes)

    for channel, expected in enumerate(normalized(rows)):
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(out[channel], expected, rtol=0, atol=atol)
    np.testing.assert_allclose(newVar, rows.astype(np.float64).var(1, ddof=1), rtol=1e-5)


@forms
@pytest.mark.parametrize("place", [0, -1, 17])
@pytest.mark.parametrize("size", [1e8, -1e4])
def test_an_outlier_does_not_spoil_the_statistics(shape, axes, place, size, rng):  # X5
    rows = makeRows(rng, shape).astype(np.float32)
    rows[:, place] = size

    out, mean, _, _, newVar, *_ = trainRows(rows, shape, axes)

    exact = rows.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(1), rtol=5e-6)
    np.testing.assert_allclose(newVar, exact.var(1, ddof=1), rtol=1e-5)
    atol = 4e-6 * np.abs(normalized(rows)).max()
    np.testing.assert_allclose(out, normalized(rows), rtol=4e-5, atol=atol)


@forms
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_stay_in_their_channel(shape, axes, special, rng):  # X6, X7
    rows, g = makeRows(rng, shape), makeRows(rng, shape)
    clean = trainRows(rows, shape, axes, g)
    rows[3, 11] = special

    spoiled = trainRows(rows, shape, axes, g)

    others = [0, 1, 2, 4, 5]
    for one, two in zip(clean, spoiled, strict=True):
        assert np.array_equal(one[others], two[others])
    out, mean, invStd, newMean, newVar, dx, _, dBias = spoiled
    assert np.isnan(out[3]).all()
    assert np.isnan(dx[3]).all() and np.isnan(invStd[3]) and np.isnan(newVar[3])
    np.testing.assert_equal([mean[3], newMean[3]], np.float32([special, special]))
    assert dBias[3] == clean[-1][3]


@forms
@pytest.mark.parametrize("scale", [0, -2, 1e3])
def test_nothing_is_divided_by_the_scale(shape, axes, scale, rng):  # X13
    rows, g = makeRows(rng, shape), makeRows(rng, shape)

    plain, scaled = (trainRows(rows, shape, axes, g, scale=value) for value in (1, scale))

    np.testing.assert_allclose(scaled[0], scale * plain[0], rtol=1e-6, atol=1e-6 * abs(scale))
    np.testing.assert_allclose(scaled[5], scale * plain[5], rtol=1e-4, atol=1e-6 * abs(scale))
    assert all(np.array_equal(scaled[at], plain[at]) for at in (1, 2, 3, 4, 6, 7))


@pytest.mark.parametrize("shape, axes", [
    ((2, 3), (0,)), ((1, 3, 2), (0, 2)), ((2, 3, 2), (0,)), ((3, 2, 2), (1,)), ((2, 3, 1), (0,))])
def test_two_values_become_plus_and_minus_one(shape, axes, rng):  # X9, X10
    x, g = rng.standard_normal((2, *shape)) * 1000

    out, _, _, _, newVar, dx, *_ = train(x, axes, g)

    np.testing.assert_allclose(np.abs(out), 1, rtol=1e-5)
    np.testing.assert_allclose(dx, 0, atol=1e-3)
    var = x.astype(np.float32).astype(np.float64).var(axes, keepdims=True)
    np.testing.assert_allclose(newVar, 2 * var, rtol=1e-5)


@forms
@pytest.mark.parametrize("value", [0, 1, -3])
def test_a_constant_gradient_moves_only_the_bias(shape, axes, value, rng):  # X11
    rows = makeRows(rng, shape)
    *_, dx, dScale, dBias = trainRows(rows, shape, axes, np.full(rows.shape, value))
    np.testing.assert_allclose(dx, 0, atol=2e-5)
    np.testing.assert_allclose(dScale, 0, atol=1e-5 * rows.shape[1])
    np.testing.assert_allclose(dBias, value * rows.shape[1], rtol=1e-5)


@pytest.mark.parametrize("shape, axes", [*cases, ((64, 70, 300), (1,)), ((300, 300), (0,))])
def test_same_bits_on_every_run_and_for_any_threads(shape, axes, device, rng):  # X18
    def bits():
        problem = Problem(np.random.default_rng(1), shape, axes)
        out = train(problem.x, axes, problem.g, scale=2)
        x, *small = onDevice(problem.x, problem.scale, problem.bias, problem.mean, problem.var)
        out.append(batchNormInfer(x, *small, axes).get())
        return [array.tobytes() for array in out]

    device.setThreads(1)
    alone = [bits() for _ in range(3)]
    device.setThreads(2)
    together = [bits() for _ in range(3)]
    assert all(each == alone[0] for each in alone + together)


def test_double_is_double_all_the_way(rng):  # X15
    x = rng.standard_normal((64, 3)) + 1e6
    out, _, _, _, newVar, *_ = train(x, (0,), dtype=np.float64)
    atol = 4 * 2.0 ** -53 * 1e6 + 1e-12
    np.testing.assert_allclose(out, normalized(x.T).T, rtol=0, atol=atol)
    np.testing.assert_allclose(newVar.ravel(), x.var(0, ddof=1), rtol=1e-9)


def test_the_unbiased_factor_of_very_many_values():  # A33
    m = 2 ** 24 + 1  # no float32
    x, one, zero = onDevice(np.resize([1.0, 3.0], (1, 1, m)), np.ones(1), np.zeros(1))
    variances = [batchNormTrain(x, one, zero, "spatial", 1e-5, 1, zero, one, unbiased)[4].get()
                 for unbiased in (True, False)]
    np.testing.assert_allclose(variances[0] / variances[1] - 1, 1 / (m - 1), rtol=1e-7)


@pytest.mark.parametrize("mean, deviation", [(60000, 100), (100, 1)])
def test_sums_of_float16_do_not_overflow(mean, deviation, rng):  # X14
    if np.float16 not in [dtype for dtype, _ in gpuarray.dtypesSupported()]:
        pytest.skip("the device does not compute in float16")
    x = (rng.standard_normal((64, 3)) * deviation + mean).astype(np.float16)

    out, batchMean, _, _, newVar, *_ = train(x, (0,), dtype=np.float16)

    exact = x.astype(np.float64)
    np.testing.assert_allclose(batchMean.ravel(), exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(newVar.ravel(), exact.var(0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(out.astype(np.float64), normalized(exact.T).T, rtol=0, atol=2e-3)
