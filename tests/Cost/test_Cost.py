import math

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Cost import MSE, CrossEntropy
from minidl.Cost.Cost import Cost, CostError


def onDevice(values, dtype=np.float32):
    return gpuarray.to_gpu(np.asarray(values, dtype))


def test_a_call_gives_error_and_gradient_or_the_gradient_alone():
    cost, pred, target = MSE(), onDevice([[1, 2]]), onDevice([[3, 2]])

    error, grad = cost(pred, target)
    alone = cost(pred, target, queryError=False)

    assert type(error) is float and error == cost.getError() == cost.error == 1
    assert np.array_equal(grad.get(), alone.get()) and alone is cost.grad


def test_mean_error_weighs_uneven_batches_by_their_samples(rng):
    cost, errors, sizes = MSE(), [], [5, 1, 128, 3] * 40  # more than are kept unread

    for size in sizes:
        pred, target = rng.standard_normal((2, size, 3)).astype(np.float32)
        cost(onDevice(pred), onDevice(target), queryError=False)
        errors.append(cost.getError())
        assert cost.batchsize == size

    assert cost.getMeanError() == pytest.approx(np.average(errors, weights=sizes), rel=1e-6)
    assert cost.numOfSamples == sum(sizes)


def test_mean_error_is_the_same_bits_whenever_it_was_asked_for(rng):
    costs, batches = (MSE(), MSE()), rng.standard_normal((40, 2, 5, 3))

    for pred, target in batches:
        for cost in costs:
            cost(onDevice(pred, np.float64), onDevice(target, np.float64), queryError=False)
        costs[1].getMeanError()

    assert costs[0].getMeanError() == costs[1].getMeanError()


def test_a_state_carries_the_mean_error_on(rng):
    first, second, batches = MSE(), MSE(), rng.standard_normal((9, 2, 5, 3)).astype(np.float32)
    for pred, target in batches[:6]:
        first(onDevice(pred), onDevice(target))
    second(onDevice(batches[8, 0]), onDevice(batches[8, 1]))

    second.setState(first.getState())

    assert second.getMeanError() == first.getMeanError()
    for pred, target in batches[6:]:
        for cost in (first, second):
            cost(onDevice(pred), onDevice(target))
    assert second.getMeanError() == first.getMeanError() and second.numOfSamples == 45


def test_mean_error_is_that_of_all_samples_at_once(rng):
    pred, target = rng.standard_normal((2, 10, 3)).astype(np.float32)
    whole, parts = MSE(), MSE()

    expected, _ = whole(onDevice(pred), onDevice(target))
    for part in (slice(0, 4), slice(4, 9), slice(9, 10)):
        parts(onDevice(pred[part]), onDevice(target[part]))

    assert parts.getMeanError() == pytest.approx(expected, rel=1e-6)


def test_accumulator_starts_anew_after_its_reset():
    cost = MSE()
    cost(onDevice([[1]]), onDevice([[9]]))

    cost.resetAccumulator()

    assert math.isnan(cost.getMeanError())
    cost(onDevice([[1]]), onDevice([[2]]))
    assert cost.getMeanError() == 0.5


def test_error_can_be_asked_for_after_reset():
    cost = MSE()
    cost(onDevice([[1]]), onDevice([[2]]), queryError=False)

    cost.reset()

    assert cost.grad is None and cost.getError() == 0.5


def test_validation_leaves_the_accumulated_error_alone():
    cost = MSE()
    cost(onDevice([[1]]), onDevice([[2]]))

    assert cost.validate(onDevice([[1]]), onDevice([[5]])) == cost.getValError() == 8
    assert cost.getMeanError() == cost.getError() == 0.5


def test_there_is_no_error_before_the_first_call():
    with pytest.raises(CostError, match="MSE: there is no error before the first call"):
        MSE().getError()


@pytest.mark.parametrize("cost", [MSE(), CrossEntropy()], ids=["MSE", "CrossEntropy"])
@pytest.mark.parametrize("call", ["__call__", "validate"])
@pytest.mark.parametrize("pred, message", [
    (np.ones((2, 3), np.float32), "must be arrays on the device"),
    (onDevice(np.ones((2, 3)), np.int32), "pred must be of floating point numbers, got int32"),
    (onDevice(np.ones((0, 3))), "batch axis that is not empty"),
    (onDevice(1), "batch axis that is not empty"),
], ids=["numpy", "integers", "empty", "scalar"])
def test_refused_predictions_leave_no_trace(cost, call, pred, message):
    with pytest.raises(CostError, match=f"{type(cost).__name__}: .*{message}"):
        getattr(cost, call)(pred, gpuarray.to_gpu(np.zeros(2, np.int32)))

    assert cost.numOfSamples == 0 and math.isnan(cost.getMeanError())


def test_strided_arrays_give_the_contiguous_answer(rng):
    pred, target = rng.standard_normal((2, 5, 7, 2)).astype(np.float32)
    cost = MSE()

    error, grad = cost(onDevice(pred)[..., 0], onDevice(target)[..., 1])

    expected, expectedGrad = cost(onDevice(pred[..., 0]), onDevice(target[..., 1]))
    assert error == expected and np.array_equal(grad.get(), expectedGrad.get())


def test_a_cost_of_ones_own_needs_its_formula_only(rng):
    class Distance(Cost):
        def calcGrad(self, pred, target):
            difference = target.get() - pred.get()
            return onDevice(np.abs(difference).sum(1)), onDevice(np.sign(difference) / len(pred))

    cost, (pred, target) = Distance(), rng.standard_normal((2, 5, 3)).astype(np.float32)

    error, grad = cost(onDevice(pred), onDevice(target))

    assert error == pytest.approx(np.abs(pred - target).sum(1).mean(), rel=1e-6)
    assert grad.shape == pred.shape and cost.validate(onDevice(pred), onDevice(target)) == error


def test_a_cost_without_a_formula_says_so():
    with pytest.raises(NotImplementedError, match="Cost has no calcGrad"):
        Cost()(onDevice([[1]]), onDevice([[1]]))


def test_the_mean_error_is_over_all_of_many_uneven_batches_and_two_dtypes(rng):
    cost, total, samples = MSE(), 0.0, 0

    for number in range(600):
        dtype = np.float32 if number < 400 else np.float64
        pred, target = rng.standard_normal((2, 1 + number % 7, 3)).astype(dtype)
        cost(gpuarray.to_gpu(pred), gpuarray.to_gpu(target), queryError=False)
        total += ((target - pred) ** 2).sum(dtype=np.float64) / (2 * 3)
        samples += len(pred)

    np.testing.assert_allclose(cost.getMeanError(), total / samples, rtol=1e-6)
