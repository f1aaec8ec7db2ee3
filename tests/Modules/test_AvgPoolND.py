"""Mean pooling of one to three axes, beside the mean of each window found by numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import AvgPool1D, AvgPool2D, AvgPool3D, AvgPoolND, ModuleError
from tests.Windows import everyWindow, perAxis, windows

eitherCount = pytest.mark.parametrize("includePad", [True, False])


def counted(shape, size, stride, pad, includePad):
    """(place, what it sees, what its sum is divided by) for each place."""
    full = np.prod(perAxis(size, len(shape) - 2))
    for place, seen in windows(shape, size, stride, pad):
        yield place, seen, full if includePad else np.empty(shape[2:])[seen].size


@everyWindow
@eitherCount
def test_windows_become_their_means(shape, size, stride, pad, includePad, rng):
    module = AvgPoolND(len(shape) - 2, size, stride, pad, includePad)
    x = rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    axes = tuple(range(2, x.ndim))
    for place, seen, count in counted(shape, size, stride, pad, includePad):
        expected = x[(..., *seen)].astype(np.float64).sum(axes) / count
        np.testing.assert_allclose(y[(..., *place)], expected, 1e-5, 1e-6)
    assert y.shape == (*shape[:2], *(last + 1 for last in place))


@everyWindow
@eitherCount
def test_gradient_is_shared_out_among_what_a_place_sees(
        shape, size, stride, pad, includePad, rng):
    module = AvgPoolND(len(shape) - 2, size, stride, pad, includePad)
    y = module(gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32)))
    g = rng.standard_normal(y.shape).astype(np.float32)

    module.backward(gpuarray.to_gpu(g))

    expected = np.zeros(shape)
    for place, seen, count in counted(shape, size, stride, pad, includePad):
        column = (...,) + (None,) * (len(shape) - 2)
        expected[(..., *seen)] += g[(..., *place)][column] / count
    np.testing.assert_allclose(module.grad.get(), expected, 1e-5, 1e-6)


@everyWindow
def test_without_padding_a_constant_stays(shape, size, stride, pad):
    module = AvgPoolND(len(shape) - 2, size, stride, pad, includePad=False)

    y = module(gpuarray.to_gpu(np.full(shape, 3.7, np.float32))).get()

    np.testing.assert_allclose(y, np.full(y.shape, 3.7), 1e-6)


def test_named_pools_have_their_axes_and_defaults():
    for nd, kind in enumerate((AvgPool1D, AvgPool2D, AvgPool3D), 1):
        pool = kind()
        assert (pool.nd, pool.size, pool.stride, pool.pad) == (nd, (2,) * nd, (2,) * nd, (0,) * nd)
        assert pool.includePad


@pytest.mark.parametrize("make, message", [
    (lambda: AvgPool2D(0), "AvgPool2D: size must be an integer of at least 1, or 2 of them, got 0"),
    (lambda: AvgPool1D(2, (1, 1)), r"AvgPool1D: stride must be .* or 1 of them, got \(1, 1\)"),
    (lambda: AvgPool3D(2, 2, 2), "AvgPool3D: pad must be less than size"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("shape, message", [
    ((2, 3, 4), r"AvgPool2D 'p': data must have 4 axes, got \(2, 3, 4\)"),
    ((2, 0, 4, 4), "data must have from 1 to"),
    ((2, 3, 2, 4), r"a window of \(3, 3\), .* does not fit into data of \(2, 4\)"),
])
def test_refuses_bad_shapes(shape, message):
    with pytest.raises(ModuleError, match=message):
        AvgPool2D(3, name="p")(gpuarray.zeros(shape))
