import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, SoftMax

shapes = [(5, 7), (1, 1), (3, 11, 2), (2, 3, 5, 4), (2, 5, 3, 1, 2), (4, 6, 1, 1), (300, 10)]


def reference(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def apply(x):
    return SoftMax()(gpuarray.to_gpu(x.astype(np.float32))).get()


@pytest.mark.parametrize("shape", shapes)
def test_gives_the_probabilities_of_each_position(shape, rng):
    x = (rng.standard_normal(shape) * 5).astype(np.float32)

    y = apply(x)

    np.testing.assert_allclose(y, reference(x.astype(np.float64)), rtol=2e-6)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 3)])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30, 3e38])
def test_is_finite_for_any_finite_scores(shape, size, rng):
    x = rng.choice([-size, 0, size], shape)

    y = apply(x)

    np.testing.assert_allclose(y, reference(x), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 3)])
def test_does_not_change_when_all_scores_of_a_position_move_together(shape, rng):
    x = rng.integers(-8, 8, shape).astype(np.float32)

    np.testing.assert_array_equal(apply(x + 1024), apply(x))


@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("place", range(4))
def test_spoiled_scores_spoil_their_own_position_only(special, place, rng):
    x = rng.standard_normal((3, 4, 5))
    clean = apply(x)
    x[1, place, 2] = special

    y = apply(x)

    spoiled = np.isnan(y)
    assert spoiled[1, :, 2].any() and spoiled.sum() == spoiled[1, :, 2].sum()
    assert np.array_equal(y[~spoiled][:20], clean[~spoiled][:20])


def test_minus_infinity_has_no_probability():
    np.testing.assert_allclose(apply(np.array([[0, -np.inf, 0]])), [[0.5, 0, 0.5]])


@pytest.mark.parametrize("shape, gradShape", [
    ((4, 6, 1, 1), (4, 6)), ((4, 6, 1), (4, 6, 1, 1)), ((4, 6), (4, 6, 1, 1)),
    ((4, 6, 3), (4, 6, 3, 1)),
])
def test_gradient_may_have_more_or_fewer_axes_of_one(shape, gradShape, rng):
    module, x = SoftMax(), gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32))
    g = rng.standard_normal(shape).astype(np.float32)
    module(x)
    module.backward(gpuarray.to_gpu(g))
    expected = module.grad.get()

    module.backward(gpuarray.to_gpu(g.reshape(gradShape)))

    assert module.grad.shape == shape
    assert np.array_equal(module.grad.get(), expected)


@pytest.mark.parametrize("gradShape", [(6, 4), (4, 6, 2), (24,), (4, 5)])
def test_refuses_other_gradients(gradShape, rng):
    module = SoftMax()
    module(gpuarray.to_gpu(rng.standard_normal((4, 6)).astype(np.float32)))

    with pytest.raises(ModuleError, match=r"grad must have the shape of data \(4, 6\), got"):
        module.backward(gpuarray.to_gpu(np.ones(gradShape, np.float32)))


@pytest.mark.parametrize("shape", [(5,), (), (5, 0)])
def test_refuses_data_without_maps(shape):
    with pytest.raises(ModuleError, match=r"must have shape \(batch, maps, ...\), got"):
        SoftMax()(gpuarray.to_gpu(np.ones(shape, np.float32)))
