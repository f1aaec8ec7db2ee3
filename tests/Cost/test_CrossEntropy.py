import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Cost import CrossEntropy
from minidl.Cost.Cost import CostError
from tests.Gradients import checkCostGradients

shapes = pytest.mark.parametrize("shape", [
    (1, 1), (1, 2), (5, 3), (67, 131), (3, 4, 7), (2, 3, 5, 4), (2, 5, 1, 1, 3),
])


def make(shape, rng):
    """(scores, labels) on the host."""
    scores = rng.standard_normal(shape).astype(np.float32) * 3
    return scores, rng.integers(0, shape[1], shape[:1] + shape[2:]).astype(np.int32)


def reference(scores, labels, weights=None):
    """(error, gradient)"""
    scores, classes = np.moveaxis(scores.astype(np.float64), 1, -1), scores.shape[1]
    weights = np.ones(classes) if weights is None else weights
    scores = scores - scores.max(-1, keepdims=True)
    logP = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    hot = np.eye(classes)[labels]
    error = -(weights * hot * logP).sum(-1).mean()
    return error, np.moveaxis(weights * (hot - np.exp(logP)) / len(scores), -1, 1)


def call(cost, scores, labels):
    error, grad = cost(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels))
    return error, grad.get()


@shapes
@pytest.mark.parametrize("weighted", [False, True])
def test_is_its_formula(shape, weighted, rng):
    scores, labels = make(shape, rng)
    weights = rng.uniform(0.1, 3, shape[1]).astype(np.float32) if weighted else None

    error, grad = call(CrossEntropy(weights=weights), scores, labels)

    expected, expectedGrad = reference(scores, labels, weights)
    assert error == pytest.approx(expected, rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(grad, expectedGrad, rtol=1e-5, atol=1e-6 / shape[0])


@shapes
def test_gradient_is_divided_by_the_batch_but_not_by_positions(shape, rng):
    scores, labels = make(shape, rng)

    positions = np.prod(shape[2:], dtype=int)
    checkCostGradients(CrossEntropy(), scores, labels, factor=positions, rng=rng)


@pytest.mark.parametrize("inner", [(), (3,)])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_is_finite_for_any_finite_scores(size, inner, rng):
    scores = rng.choice([-size, 0, size], (7, 5, *inner)).astype(np.float32)
    labels = rng.integers(0, 5, (7, *inner)).astype(np.int32)

    error, grad = call(CrossEntropy(), scores, labels)

    expected, expectedGrad = reference(scores, labels)
    assert error == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(grad, expectedGrad, rtol=1e-6, atol=1e-9)


def test_sure_and_right_costs_nothing_and_sure_and_wrong_its_margin():
    scores = np.array([[1e4, 0, -1e4]], np.float32)

    errors = [call(CrossEntropy(), scores, np.array([label], np.int32))[0] for label in range(3)]

    assert errors == [0, 1e4, 2e4]


@pytest.mark.parametrize("place", range(3))
def test_nan_scores_give_a_nan_error_and_spoil_no_other_sample(place, rng):
    scores, labels = make((5, 3), rng)
    scores[2, place] = np.nan

    error, grad = call(CrossEntropy(), scores, labels)

    assert np.isnan(error)
    assert np.isnan(grad).any(axis=1).tolist() == [False, False, True, False, False]


@shapes
def test_validation_is_the_share_of_wrong_answers(shape, rng):
    cost, (scores, labels) = CrossEntropy(), make(shape, rng)

    rate = cost.validate(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels))

    best = scores.argmax(axis=1)
    assert rate == cost.getValError() == pytest.approx((best != labels).mean(), abs=1e-12)
    assert np.array_equal(cost.mostProb.get(), best) and cost.mostProb.dtype == np.int32


def test_first_of_equal_scores_is_the_answer():
    cost, scores = CrossEntropy(), np.array([[1, 3, 3, 2], [5, 5, 5, 5]], np.float32)

    cost.validate(gpuarray.to_gpu(scores), gpuarray.to_gpu(np.zeros(2, np.int32)))

    assert cost.mostProb.get().tolist() == [1, 0]


@pytest.mark.parametrize("stray", [-1, 4, 1000, -2 ** 31, 2 ** 31 - 1])
@pytest.mark.parametrize("method", ["__call__", "validate"])
def test_labels_out_of_range_are_named_and_counted(method, stray, rng):
    cost, (scores, labels) = CrossEntropy(), make((9, 4), rng)
    labels[[3, 7]] = stray

    message = rf"from 0 to 3, got {stray} \(2 of 9 labels are out of range\)"
    with pytest.raises(CostError, match=f"CrossEntropy: labels must be {message}"):
        getattr(cost, method)(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels))

    assert cost.numOfSamples == 0


def test_maxlabels_narrows_the_range(rng):
    scores, labels = make((9, 4), rng)
    labels[5] = 3

    with pytest.raises(CostError, match="labels must be from 0 to 2, got 3"):
        call(CrossEntropy(maxlabels=3), scores, labels)

    error, _ = call(CrossEntropy(maxlabels=4), scores, labels)
    assert error == call(CrossEntropy(), scores, labels)[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_labels_out_of_range_that_are_not_checked_have_no_error(weighted, rng, monkeypatch):
    monkeypatch.setattr(Config, "verifyData", False)
    scores, labels = make((9, 4), rng)
    weights = np.ones(4, np.float32) if weighted else None
    strays = labels.copy()
    strays[[2, 3, 4]] = -1, 4, 2 ** 31 - 1

    cost = CrossEntropy(weights=weights)
    error, grad = call(cost, scores, strays)
    rate = cost.validate(gpuarray.to_gpu(scores), gpuarray.to_gpu(strays))

    good = [0, 1, 5, 6, 7, 8]
    expected, expectedGrad = call(CrossEntropy(), scores[good], labels[good])
    assert error == pytest.approx(expected * 6 / 9, rel=1e-6)
    np.testing.assert_allclose(grad[good], expectedGrad * 6 / 9, rtol=1e-5, atol=1e-8)
    assert np.isfinite(grad).all() and 3 / 9 <= rate <= 1


@pytest.mark.parametrize("scores, labels, dtype, message", [
    ((3,), (3,), np.int32, r"pred must have shape \(batch, classes, ...\), got \(3,\)"),
    ((3, 0), (3,), np.int32, r"pred must have shape \(batch, classes, ...\), got \(3, 0\)"),
    ((3, 4), (4,), np.int32, r"labels must have shape \(3,\) for pred of .* \(3, 4\), got \(4,\)"),
    ((3, 4), (3, 1), np.int32, r"labels must have shape \(3,\) .*, got \(3, 1\)"),
    ((3, 4), (3, 4), np.int32, r"labels must have shape \(3,\) .*, got \(3, 4\)"),
    ((3, 4, 5), (3, 4), np.int32, r"labels must have shape \(3, 5\) .*, got \(3, 4\)"),
    ((3, 4), (3,), np.int64, "labels must be int32, got int64"),
    ((3, 4), (3,), np.float32, "labels must be int32, got float32"),
    ((3, 4), (3,), np.uint8, "labels must be int32, got uint8"),
])
@pytest.mark.parametrize("method", ["__call__", "validate"])
def test_refuses_what_does_not_fit(method, scores, labels, dtype, message):
    pred = gpuarray.to_gpu(np.ones(scores, np.float32))
    target = gpuarray.to_gpu(np.zeros(labels, dtype))

    with pytest.raises(CostError, match=f"CrossEntropy: {message}"):
        getattr(CrossEntropy(), method)(pred, target)


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), ()])
def test_refuses_weights_of_another_number_of_classes(shape, rng):
    scores, labels = make((5, 4), rng)

    with pytest.raises(CostError, match="there must be 4 weights of float32, got float32 of shape"):
        call(CrossEntropy(weights=np.ones(shape)), scores, labels)
