import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Cost import MSE
from minidl.Cost.Cost import CostError
from tests.Gradients import checkCostGradients

shapes = pytest.mark.parametrize("shape", [(1, 1), (5,), (3, 4), (67, 131), (2, 3, 5, 4)])


@shapes
def test_is_half_the_mean_square(shape, rng):
    pred, target = rng.standard_normal((2, *shape)).astype(np.float32)

    error, grad = MSE()(gpuarray.to_gpu(pred), gpuarray.to_gpu(target))

    difference = target.astype(np.float64) - pred
    assert error == pytest.approx((difference ** 2).mean() / 2, rel=1e-6)
    np.testing.assert_allclose(grad.get(), difference / pred.size, rtol=1e-5, atol=1e-9)


@shapes
def test_gradients(shape, rng):
    pred, target = rng.standard_normal((2, *shape))

    checkCostGradients(MSE(), pred, target, rng=rng)


def test_going_along_the_gradient_makes_the_error_smaller(rng):
    pred, target = (gpuarray.to_gpu(each) for each in rng.standard_normal((2, 5, 7)))
    before, grad = MSE()(pred, target)

    after, _ = MSE()(gpuarray.to_gpu(pred.get() + 5 * 7 * grad.get()), target)

    assert after < 1e-12 < before


def test_nan_of_a_sample_is_the_error_but_not_the_gradient_of_others(rng):
    pred, target = rng.standard_normal((2, 5, 7)).astype(np.float32)
    pred[3, 2] = np.nan

    error, grad = MSE()(gpuarray.to_gpu(pred), gpuarray.to_gpu(target))

    assert np.isnan(error)
    assert np.argwhere(np.isnan(grad.get())).tolist() == [[3, 2]]


@pytest.mark.parametrize("shape, dtype, message", [
    ((3, 5), np.float32, r"one shape, got \(3, 4\) and \(3, 5\)"),
    ((3, 1), np.float32, r"one shape, got \(3, 4\) and \(3, 1\)"),
    ((4,), np.float32, r"one shape, got \(3, 4\) and \(4,\)"),
    ((3, 4), np.float64, "one dtype, got float32 and float64"),
    ((3, 4), np.int32, "one dtype, got float32 and int32"),
])
@pytest.mark.parametrize("call", ["__call__", "validate"])
def test_refuses_targets_that_do_not_fit(call, shape, dtype, message):
    cost, pred = MSE(), gpuarray.to_gpu(np.ones((3, 4), np.float32))

    with pytest.raises(CostError, match=f"MSE: .*{message}"):
        getattr(cost, call)(pred, gpuarray.to_gpu(np.ones(shape, dtype)))

    assert cost.numOfSamples == 0
