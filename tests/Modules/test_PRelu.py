import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, PRelu

shapes = [(3, 5), (1, 1), (2, 13, 1), (5, 1, 7), (1, 67, 3), (2, 3, 5, 4), (211, 17),
          (2, 5, 67, 131), (1, 2, 3, 1, 5), (3, 4, 2, 3, 2)]
everyShape = pytest.mark.parametrize("shape", shapes, ids=str)
eitherSharing = pytest.mark.parametrize("sharedMaps", [False, True])


def make(shape, sharedMaps, rng):
    """(module, its slopes as numpy stretches them over data)"""
    module = PRelu(shape[1], sharedMaps=sharedMaps)
    module.slopes.set(rng.standard_normal(module.slopes.shape).astype(np.float32))
    return module, module.slopes.get().reshape(-1, *(1,) * (len(shape) - 2))


@everyShape
@eitherSharing
def test_negative_numbers_are_multiplied_by_the_slope_of_their_map(shape, sharedMaps, rng):
    module, slopes = make(shape, sharedMaps, rng)
    x = rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    np.testing.assert_array_equal(y, np.where(x > 0, x, slopes * x))


@everyShape
@eitherSharing
def test_gradients_follow_their_formulas(shape, sharedMaps, rng):
    module, slopes = make(shape, sharedMaps, rng)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g), scale=2.0)

    np.testing.assert_array_equal(module.grad.get(), np.where(x > 0, g, slopes * g))
    sums = np.where(x > 0, 0, x.astype(np.float64) * g).sum((0, *range(2, x.ndim)))
    expected = 2 * (sums.sum(keepdims=True) if sharedMaps else sums)
    np.testing.assert_allclose(
        module.getVar("slopes").grad.get(), expected, 1e-5, 1e-5 * np.sqrt(x.size))


def test_slopes_begin_at_a_quarter():
    assert PRelu(7).slopes.get().tolist() == [0.25] * 7
    assert PRelu(7, sharedMaps=True).slopes.get().tolist() == [0.25]


def test_zero_counts_as_negative():
    module = PRelu(1)
    module(gpuarray.zeros((1, 1)))
    module.backward(gpuarray.to_gpu(np.float32([[8]])))
    assert module.grad.get().item() == 2


def test_in_place_in_evaluation_mode_writes_over_data():
    module, data = PRelu(2, inplace=True), gpuarray.to_gpu(np.float32([[4, -4]]))
    module.evalMode()

    assert module(data) is data
    assert data.get().tolist() == [[4, -1]]
    with pytest.raises(ModuleError, match="PRelu: has overwritten its input"):
        module.backward(data)


def test_in_place_refuses_training():
    data = gpuarray.to_gpu(np.float32([[4, -4]]))
    with pytest.raises(ModuleError, match="PRelu: using inplace flag in train mode is prohibited"):
        PRelu(2, inplace=True)(data)
    assert data.get().tolist() == [[4, -4]]


@pytest.mark.parametrize("maps", [0, -1, 2.5, None])
def test_refuses_bad_arguments(maps):
    with pytest.raises(ModuleError, match=f"PRelu: maps must be a positive integer, got {maps}"):
        PRelu(maps)


@pytest.mark.parametrize("shape", [(3, 4), (5,), (3, 4, 5)])
def test_refuses_bad_shapes(shape):
    with pytest.raises(ModuleError, match=r"'p': data must have shape \(batch, 5, ...\), got"):
        PRelu(5, name="p")(gpuarray.zeros(shape))
