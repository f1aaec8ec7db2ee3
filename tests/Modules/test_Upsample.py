"""Upsample2D and Upsample3D, beside numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, Upsample2D, Upsample3D, UpsampleMode

sizes = [
    ((3, 4, 5, 7), 2), ((1, 2, 1, 3), (3, 2)), ((2, 3, 11, 2), (1, 5)), ((2, 1, 1, 1), 4),
    ((5, 13, 31, 17), (3, 2)), ((2, 3, 2, 3, 5), 2), ((1, 2, 4, 1, 3), (2, 3, 1)),
    ((2, 1, 7, 3, 2), (1, 2, 4)), ((3, 2, 1, 1, 1), (2, 1, 3)),
]
everySize = pytest.mark.parametrize("shape, scale", sizes)


def kindOf(shape):
    return Upsample2D if len(shape) == 4 else Upsample3D


def perAxis(shape, scale):
    return scale if isinstance(scale, tuple) else (scale,) * (len(shape) - 2)


def lengthened(line, times):
    places = np.linspace(0, len(line) - 1, len(line) * times)
    return np.interp(places, np.arange(len(line)), line)


@everySize
def test_nearest_repeats_numbers_along_each_axis(shape, scale, rng):
    x = rng.standard_normal(shape).astype(np.float32)

    y = kindOf(shape)(scale)(gpuarray.to_gpu(x)).get()

    for axis, times in enumerate(perAxis(shape, scale), start=2):
        x = x.repeat(times, axis)
    np.testing.assert_array_equal(y, x)


@everySize
def test_linear_interpolates_between_the_corners(shape, scale, rng):
    x = rng.standard_normal(shape).astype(np.float32)

    y = kindOf(shape)(scale, UpsampleMode.linear)(gpuarray.to_gpu(x)).get()

    expected = x.astype(np.float64)
    for axis, times in enumerate(perAxis(shape, scale), start=2):
        expected = np.apply_along_axis(lengthened, axis, expected, times)
    np.testing.assert_allclose(y, expected, 0, 1e-5)


@pytest.mark.parametrize("mode", UpsampleMode)
@everySize
def test_gradient_is_the_transpose(shape, scale, mode, rng):
    module, x = kindOf(shape)(scale, mode), rng.standard_normal(shape)
    module.calcMode(np.float64)

    y = module(gpuarray.to_gpu(x)).get()
    g = rng.standard_normal(y.shape)
    module.backward(gpuarray.to_gpu(g))

    np.testing.assert_allclose((module.grad.get() * x).sum(), (g * y).sum(), rtol=1e-9)


@pytest.mark.parametrize("size, times", [(1000, 7), (4099, 3), (65537, 2)])
def test_long_lines_end_with_their_last_number(size, times):
    x = np.arange(size, dtype=np.float32).reshape(1, 1, 1, size)

    y = Upsample2D((1, times), "linear")(gpuarray.to_gpu(x)).get().ravel()

    np.testing.assert_allclose(y, np.linspace(0, size - 1, size * times), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make, message", [
    (lambda: Upsample2D(0), "Upsample2D: scale must be an integer of at least 1, or 2 of them, go"),
    (lambda: Upsample3D((1, 2)), r"Upsample3D: scale must be .* or 3 of them, got \(1, 2\)"),
    (lambda: Upsample2D(1.5), "got 1.5"),
    (lambda: Upsample2D(2, "cubic"), "Upsample2D: mode must be nearest or linear, got cubic"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("module, shape, message", [
    (Upsample2D(), (2, 3, 4), r"Upsample2D: data must have 4 axes, got shape \(2, 3, 4\)"),
    (Upsample3D(), (2, 3, 4, 5), r"Upsample3D: data must have 5 axes, got shape \(2, 3, 4, 5\)"),
    (Upsample2D(), (0, 3, 4, 5), r"data must have from 1 to 2\*\*31 - 1 numbers, got shape \(0, 3"),
    (Upsample2D(50000), (1, 1, 1, 1), r"the output must have fewer than 2\*\*31 numbers, got shap"),
])
def test_refuses_bad_shapes(module, shape, message):
    with pytest.raises(ModuleError, match=message):
        module(gpuarray.zeros(shape))
    assert module.data is module.inData is None
