import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Modules import Dropout2D, ModuleError

everyShape = pytest.mark.parametrize(
    "shape", [(3, 5, 2), (1, 1, 1), (2, 7, 3, 4), (5, 67, 1, 13), (2, 3, 2, 3, 5)], ids=str)


def keptMaps(module, shape):
    kept = module.rands.get() < module.partition
    return kept.reshape(*shape[:2], *(1,) * (len(shape) - 2))


@everyShape
@pytest.mark.parametrize("p", [0, 0.3, 0.9])
def test_whole_maps_are_dropped_or_scaled_forward_and_backward(p, shape, rng):
    module, (x, g) = Dropout2D(p), rng.standard_normal((2, *shape)).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()
    module.backward(gpuarray.to_gpu(g))

    kept = keptMaps(module, shape)
    np.testing.assert_allclose(y, np.where(kept, x / (1 - p), 0), 1e-6)
    np.testing.assert_allclose(module.grad.get(), np.where(kept, g / (1 - p), 0), 1e-6)
    assert module.rands.dtype == np.uint32 and module.rands.size == shape[0] * shape[1]
    assert module.mapsize == np.prod(shape[2:])


def test_share_of_dropped_maps_is_p():
    y = Dropout2D(0.3)(gpuarray.to_gpu(np.ones((400, 250, 2), np.float32))).get()

    dropped = (y == 0).all(-1)
    assert dropped.mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / dropped.size))
    assert np.array_equal(dropped, (y == 0).any(-1))


def test_seed_repeats_the_maps():
    x, masks = gpuarray.to_gpu(np.ones((31, 17, 3), np.float32)), []
    for seed in (5, 5, 6):
        minidl.seed(seed)
        masks.append(Dropout2D()(x).get())
    assert np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize("inplace", [False, True])
def test_slicing_drops_only_among_its_elements(inplace, rng):
    module, part = Dropout2D(0.6, slicing=slice(7, 101, 3), inplace=inplace), slice(7, 101, 3)
    x, shape = rng.standard_normal(120).astype(np.float32), (3, 4, 2, 5)

    y = module(gpuarray.to_gpu(x.reshape(shape))).get().ravel()

    whole = np.where(keptMaps(module, shape), x.reshape(shape) / 0.4, 0).ravel()
    expected = x.copy()
    expected[part] = whole[part]
    np.testing.assert_allclose(y, expected, 1e-6)


def test_in_place_writes_over_data_and_gradient():
    module = Dropout2D(0.5, inplace=True)
    data, grad = (gpuarray.to_gpu(np.ones((7, 5, 3), np.float32)) for _ in range(2))

    module(data)
    module.backward(grad)

    assert module.data is data and module.grad is grad
    assert np.array_equal(data.get(), grad.get())


def test_evaluation_passes_the_very_same_array():
    module, data = Dropout2D(), gpuarray.zeros((2, 3, 4))
    module.evalMode()
    assert module(data) is data


@pytest.mark.parametrize("shape, message", [
    ((3, 5), r"Dropout2D 'd': data must have shape \(batch, maps, one or more sizes\), got"),
    ((0, 5, 2), "data must have from 1 to"),
])
def test_refuses_bad_shapes(shape, message):
    with pytest.raises(ModuleError, match=message):
        Dropout2D(name="d")(gpuarray.zeros(shape))


def test_refuses_a_p_that_is_no_probability_below_one():
    with pytest.raises(ModuleError, match="Dropout2D: p must be at least 0 and below 1, got 1"):
        Dropout2D(1)
