import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import AvgPool2D, MaxPool2D, MaxUnpool2D, ModuleError
from tests.ListCases import unpools

everyWindow = pytest.mark.parametrize("shape, size, stride, pad", unpools, ids=str)


def pooled(shape, size, stride, pad, rng):
    """A pool after a call, and as much data as it gave."""
    pool = MaxPool2D(size, stride, pad, name="pool")
    out = pool(gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32)))
    return pool, rng.standard_normal(out.shape).astype(np.float32)


@everyWindow
def test_numbers_come_where_the_maxima_were(shape, size, stride, pad, rng):
    pool, x = pooled(shape, size, stride, pad, rng)
    module = MaxUnpool2D(pool)

    y = module(gpuarray.to_gpu(x)).get()

    expected = np.zeros((shape[0] * shape[1], shape[2] * shape[3]), np.float32)
    for plane, at in enumerate(pool.mask.get().reshape(len(expected), -1)):
        np.add.at(expected[plane], at, x.reshape(len(expected), -1)[plane])
    np.testing.assert_allclose(y, expected.reshape(shape), 1e-5, 1e-6)
    assert module.data.shape == shape == module.dataShapeFrom(x.shape)


def test_unpooled_maxima_of_windows_that_only_touch_are_the_data(rng):
    x = rng.uniform(1, 2, (2, 3, 6, 8)).astype(np.float32)
    pool = MaxPool2D()
    module = MaxUnpool2D(pool)

    y = module(pool(gpuarray.to_gpu(x))).get()

    assert np.array_equal(y[y != 0], x[y != 0]) and (y != 0).sum() == x.size // 4


def test_backward_belongs_to_the_last_call_whatever_the_pool_did_since(rng):
    pool, x = pooled((2, 3, 6, 8), 2, 2, 0, rng)
    module, g = MaxUnpool2D(pool), rng.standard_normal((2, 3, 6, 8)).astype(np.float32)
    mask = pool.mask.get().reshape(6, -1)
    module(gpuarray.to_gpu(x))

    pool(gpuarray.zeros((1, 1, 4, 4)))
    module.backward(gpuarray.to_gpu(g))

    expected = np.take_along_axis(g.reshape(6, -1), mask, 1)
    np.testing.assert_array_equal(module.grad.get().reshape(6, -1), expected)


def test_tells_its_pool_that_the_mask_is_wanted():
    pool = MaxPool2D()
    MaxUnpool2D(pool)
    assert pool.withMask


@pytest.mark.parametrize("pool", [None, AvgPool2D(), 2])
def test_refuses_what_is_no_max_pool(pool):
    with pytest.raises(ModuleError, match="MaxUnpool2D: maxpool2d must be a MaxPool2D, got "
                                          f"{type(pool).__name__}"):
        MaxUnpool2D(pool)


def test_refuses_to_be_called_before_its_pool():
    module = MaxUnpool2D(MaxPool2D(name="pool"), name="back")
    with pytest.raises(ModuleError, match="MaxUnpool2D 'back': MaxPool2D 'pool' must be called fi"):
        module(gpuarray.zeros((1, 1, 2, 2)))


def test_refuses_data_that_its_pool_did_not_give(rng):
    pool, x = pooled((2, 3, 6, 8), 2, 2, 0, rng)
    module = MaxUnpool2D(pool)
    y = module(gpuarray.to_gpu(x))

    with pytest.raises(ModuleError, match=r"the shape of what MaxPool2D 'pool' gave \(2, 3, 3, 4\),"
                                          r" got \(2, 3, 4, 3\)"):
        module(gpuarray.zeros((2, 3, 4, 3)))

    assert module.data is y
