import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Cost import MSE, CrossEntropy
from minidl.Handlers import Validator
from minidl.Modules import Dropout, Identity, Linear
from tests.Handlers.Recorder import Recorder, numbered


def problem(rng, size=50):
    """(scores, labels) on the host"""
    scores = rng.standard_normal((size, 4)).astype(np.float32)
    return scores, rng.integers(0, 4, size).astype(np.int32)


@pytest.mark.parametrize("batchsize", [1, 7, 50, 128])
@pytest.mark.parametrize("macroBatchSize", [None, 11, 10000])
def test_is_the_mean_over_all_samples(batchsize, macroBatchSize, rng):
    scores, labels = problem(rng)
    validator = Validator(Identity(), CrossEntropy(), batchsize=batchsize)

    if macroBatchSize is None:
        rate = validator.validate(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels))
    else:
        rate = validator.validateFromHost(scores, labels, macroBatchSize=macroBatchSize)

    assert rate == validator.error == pytest.approx((scores.argmax(1) != labels).mean(), abs=1e-12)


def test_error_of_a_cost_without_a_rate_is_its_mean(rng):
    pred, target = rng.standard_normal((2, 10, 3)).astype(np.float32)

    error = Validator(Identity(), MSE(), batchsize=4).validateFromHost(pred, target)

    assert error == pytest.approx(((pred - target) ** 2).mean() / 2, rel=1e-6)


def test_sees_samples_as_they_lie():
    module, data = Recorder(), numbered(10)

    Validator(module, MSE(), batchsize=4).validateFromHost(data, data, macroBatchSize=5)

    assert module.batches == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9]]


def test_is_in_evaluation_mode(rng):
    data = np.ones((10, 3), np.float32)
    module = Dropout(0.5)

    assert Validator(module, MSE()).validateFromHost(data, data) == 0
    assert not module.train


def test_changes_no_parameter_and_no_gradient(rng):
    module, (scores, labels) = Linear(4, 4), problem(rng)
    before = [array.get() for var in module.vars.values() for array in (var.data, var.grad)]

    Validator(module, CrossEntropy(), batchsize=8).validateFromHost(scores, labels)

    after = [array.get() for var in module.vars.values() for array in (var.data, var.grad)]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_leaves_the_error_of_training_alone(rng):
    cost, (scores, labels) = CrossEntropy(), problem(rng)
    cost(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels))
    before = cost.getMeanError()

    Validator(Identity(), cost).validateFromHost(scores, labels)

    assert cost.getMeanError() == before


def test_callbacks_come_after_each_batch(rng):
    calls = []
    note = lambda validator: calls.append(validator.currBatch)
    validator = Validator(Identity(), CrossEntropy(), note, batchsize=8)

    validator.validateFromHost(
        *problem(rng, 20), onMacroBatchFinish=lambda validator: calls.append("macro"))

    assert calls == [1, 2, 3, "macro"]
