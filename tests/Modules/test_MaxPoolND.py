"""Max pooling of one to three axes, beside the maximum of each window found by numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import MaxPool1D, MaxPool2D, MaxPool3D, MaxPoolND, ModuleError
from tests.Windows import everyWindow, windows


def reference(x, size, stride, pad):
    """(maxima, index of the first of them in its map)"""
    pairs = list(windows(x.shape, size, stride, pad))
    shape = (*x.shape[:2], *(last + 1 for last in pairs[-1][0]))
    y, mask = np.empty(shape, x.dtype), np.empty(shape, np.int32)
    numbers = np.arange(np.prod(x.shape[2:])).reshape(x.shape[2:])
    for place, seen in pairs:
        values = x[(..., *seen)].reshape(*x.shape[:2], -1)
        y[(..., *place)] = values.max(-1)
        mask[(..., *place)] = numbers[seen].ravel()[values.argmax(-1)]
    return y, mask


def make(shape, *args, **kwargs):
    return MaxPoolND(len(shape) - 2, *args, **kwargs)


def passedTo(shape, mask, g):
    """The sum of g over the places that have an element as their maximum."""
    expected = np.zeros((shape[0] * shape[1], int(np.prod(shape[2:]))), g.dtype)
    for plane, (at, values) in enumerate(zip(mask.reshape(len(expected), -1),
                                             g.reshape(len(expected), -1), strict=True)):
        np.add.at(expected[plane], at, values)
    return expected.reshape(shape)


@everyWindow
def test_maximum_and_its_place_are_found(shape, size, stride, pad, rng):
    module, x = make(shape, size, stride, pad), rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    expected, mask = reference(x, size, stride, pad)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(module.mask.get(), mask)
    assert module.mask.dtype == np.int32


@everyWindow
def test_first_of_equals_gets_the_gradient(shape, size, stride, pad, rng):
    module, x = make(shape, size, stride, pad), rng.integers(0, 2, shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()
    g = rng.standard_normal(y.shape).astype(np.float32)
    module.backward(gpuarray.to_gpu(g))

    expected, mask = reference(x, size, stride, pad)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(module.mask.get(), mask)
    np.testing.assert_allclose(module.grad.get(), passedTo(shape, mask, g), 1e-5, 1e-6)


@everyWindow
def test_padding_is_smaller_than_everything(shape, size, stride, pad):
    module = make(shape, size, stride, pad)
    for value in (-1e30, -np.inf):
        y = module(gpuarray.to_gpu(np.full(shape, value, np.float32))).get()
        assert (y == np.float32(value)).all()


@everyWindow
def test_nan_wins_where_it_is_seen(shape, size, stride, pad, rng):
    module, x = make(shape, size, stride, pad), rng.standard_normal(shape).astype(np.float32)
    x[rng.uniform(size=shape) < 0.1] = np.nan
    x[rng.uniform(size=shape) < 0.1] = np.inf

    y = module(gpuarray.to_gpu(x)).get()

    np.testing.assert_array_equal(y, reference(x, size, stride, pad)[0])
    at = module.mask.get().reshape(*shape[:2], -1)
    found = np.take_along_axis(x.reshape(*shape[:2], -1), at, -1)
    np.testing.assert_array_equal(found.reshape(y.shape), y)


def test_an_infinite_gradient_stays_with_its_element():
    module, x = MaxPool2D(3, 2), np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
    g = np.zeros((1, 1, 3, 3), np.float32)
    g[0, 0, 1, 1] = np.inf

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    expected = np.where(x == x[0, 0, 4, 4], np.inf, 0)  # the last that the middle place sees
    np.testing.assert_array_equal(module.grad.get(), expected)


def test_double_precision_keeps_what_float32_rounds():
    x = np.array([1, 1 + 1e-12, 1 - 1e-12, 1]).reshape(1, 1, 2, 2)
    module = MaxPool2D()
    module.calcMode(np.float64)

    y = module(gpuarray.to_gpu(x)).get()

    assert y.item() == x[0, 0, 0, 1] and module.mask.get().item() == 1


def test_named_pools_have_their_axes_and_defaults():
    for nd, kind in enumerate((MaxPool1D, MaxPool2D, MaxPool3D), 1):
        pool = kind()
        assert (pool.nd, pool.size, pool.stride, pool.pad) == (nd, (2,) * nd, (2,) * nd, (0,) * nd)
        assert not pool.withMask and pool.mask is None
    assert MaxPool2D(useMask=True).withMask


def test_reset_lets_go_of_the_mask(rng):
    module = MaxPool2D()
    module(gpuarray.zeros((1, 1, 4, 4)))
    module.reset()
    assert module.mask is None


@pytest.mark.parametrize("make, message", [
    (lambda: MaxPool2D(0), "MaxPool2D: size must be an integer of at least 1, or 2 of them, got 0"),
    (lambda: MaxPool1D((2, 2)), r"MaxPool1D: size must be .* or 1 of them, got \(2, 2\)"),
    (lambda: MaxPool2D(2.5), "got 2.5"),
    (lambda: MaxPool3D(2, 0), "MaxPool3D: stride must be an integer of at least 1"),
    (lambda: MaxPool2D(2, (2, True)), r"stride must be .* got \(2, True\)"),
    (lambda: MaxPool2D(2, 2, -1), "pad must be an integer of at least 0, or 2 of them, got -1"),
    (lambda: MaxPool2D(2, 2, 2), r"pad must be less than size \(2, 2\), got \(2, 2\)"),
    (lambda: MaxPool2D((3, 1), 1, 1), r"pad must be less than size \(3, 1\), got \(1, 1\)"),
    (lambda: MaxPoolND(4), "MaxPoolND: nd must be 1, 2 or 3, got 4"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("shape, message", [
    ((2, 3, 4), r"MaxPool2D 'p': data must have 4 axes, got \(2, 3, 4\)"),
    ((2, 3, 4, 4, 4), "must have 4 axes"),
    ((0, 3, 4, 4), r"data must have from 1 to 2\*\*31 - 1 numbers, got shape \(0, 3, 4, 4\)"),
    ((2, 3, 4, 2), r"a window of \(3, 3\), .* does not fit into data of \(4, 2\)"),
])
def test_refuses_bad_shapes_and_stays_as_it_was(shape, message, rng):
    module, x = MaxPool2D(3, name="p"), rng.standard_normal((1, 2, 5, 5)).astype(np.float32)
    module(gpuarray.to_gpu(x))
    before = module.data, module.mask, module.inData

    with pytest.raises(ModuleError, match=message):
        module(gpuarray.zeros(shape))

    after = module.data, module.mask, module.inData
    assert all(one is two for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize("index", [-1, 25, 2 ** 31 - 1, -2 ** 31])
def test_a_mask_that_points_elsewhere_gives_no_gradient(index, rng):
    module = MaxPool2D(2, useMask=True)
    module(gpuarray.to_gpu(rng.standard_normal((3, 4, 5, 5)).astype(np.float32)))
    module.mask.fill(index)

    module.backward(gpuarray.to_gpu(np.ones((3, 4, 2, 2), np.float32)))

    assert not module.grad.get().any()
