"""Pad1D and Pad2D, beside numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, Pad1D, Pad2D, PadMode

sizes = [
    ((3, 4, 5), 2, [(2, 2)]),
    ((1, 2, 7), (3, 0), [(3, 0)]),
    ((2, 1, 131), [0, 5], [(0, 5)]),
    ((2, 3, 1), 0, [(0, 0)]),
    ((3, 4, 5, 7), 3, [(3, 3), (3, 3)]),
    ((2, 2, 3, 11), (1, 2, 0, 10), [(1, 2), (0, 10)]),
    ((1, 5, 67, 2), (66, 0, 1, 1), [(66, 0), (1, 1)]),
    ((2, 3, 1, 4), (0, 0, 3, 2), [(0, 0), (3, 2)]),
]
everySize = pytest.mark.parametrize("shape, pad, widths", sizes)


def kindOf(shape):
    return Pad1D if len(shape) == 3 else Pad2D


@everySize
@pytest.mark.parametrize("value", [None, 0, -2.5, np.inf, np.nan])
def test_constant_surrounds_maps_with_a_number(shape, pad, widths, value, rng):
    x = rng.standard_normal(shape).astype(np.float32)

    y = kindOf(shape)(pad, fillValue=value)(gpuarray.to_gpu(x)).get()

    expected = np.pad(x, [(0, 0), (0, 0), *widths], constant_values=value or 0)
    np.testing.assert_array_equal(y, expected)


@everySize
def test_reflect_mirrors_without_repeating_the_edge(shape, pad, widths, rng):
    x = rng.standard_normal(shape).astype(np.float32)

    y = kindOf(shape)(pad, mode="reflect")(gpuarray.to_gpu(x)).get()

    np.testing.assert_array_equal(y, np.pad(x, [(0, 0), (0, 0), *widths], "reflect"))


@everySize
def test_gradient_of_reflect_counts_the_copies(shape, pad, widths):
    module, x = kindOf(shape)(pad, PadMode.reflect), np.arange(np.prod(shape), dtype=np.float32)

    y = module(gpuarray.to_gpu(x.reshape(shape)))
    module.backward(gpuarray.to_gpu(np.ones(y.shape, np.float32)))

    copies = np.bincount(y.get().ravel().astype(int))
    np.testing.assert_array_equal(module.grad.get(), copies.reshape(shape))


def test_gradient_of_constant_is_what_lies_inside(rng):
    module, g = Pad2D((1, 2, 3, 0)), rng.standard_normal((2, 3, 7, 8)).astype(np.float32)

    module(gpuarray.zeros((2, 3, 4, 5)))
    module.backward(gpuarray.to_gpu(g))

    np.testing.assert_array_equal(module.grad.get(), g[:, :, 1:5, 3:])


def test_a_large_batch_of_large_maps(rng):
    x = rng.standard_normal((37, 13, 31, 29)).astype(np.float32)

    y = Pad2D((7, 5, 3, 11), "reflect")(gpuarray.to_gpu(x)).get()

    np.testing.assert_array_equal(y, np.pad(x, [(0, 0), (0, 0), (7, 5), (3, 11)], "reflect"))


@pytest.mark.parametrize("make, message", [
    (lambda: Pad1D(-1), "Pad1D: pad must be an integer of at least 0, or 2 of them, got -1"),
    (lambda: Pad1D((1, 2, 3)), r"or 2 of them, got \(1, 2, 3\)"),
    (lambda: Pad2D((1, 2)), r"Pad2D: pad must be .* or 4 of them, got \(1, 2\)"),
    (lambda: Pad2D(1.5), "got 1.5"),
    (lambda: Pad2D(1, "mirror"), "Pad2D: mode must be constant or reflect, got mirror"),
    (lambda: Pad2D(1, fillValue="a"), "fillValue must be a number or None, got a"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("module, shape, message", [
    (Pad1D(1), (2, 3), r"Pad1D: data must have 3 axes, got shape \(2, 3\)"),
    (Pad2D(1), (2, 3, 4), r"Pad2D: data must have 4 axes, got shape \(2, 3, 4\)"),
    (Pad2D(1), (2, 3, 0, 4), r"data must have from 1 to 2\*\*31 - 1 numbers, got shape \(2, 3, 0"),
    (Pad1D(2 ** 30), (1, 1, 1), r"output must have fewer than 2\*\*31 numbers, got shape \(1, 1,"),
    (Pad1D(3, "reflect"), (1, 2, 3), r"reflect needs sizes above pad \(3, 3\), got shape"),
    (Pad2D((0, 0, 0, 2), "reflect"), (1, 2, 3, 2), r"above pad \(0, 0, 0, 2\), got shape"),
])
def test_refuses_bad_shapes(module, shape, message):
    with pytest.raises(ModuleError, match=message):
        module(gpuarray.zeros(shape))
    assert module.data is module.inData is None


def test_refuses_a_list_of_arrays():
    with pytest.raises(ModuleError, match="Pad1D: data must have 3 axes, got shape"):
        Pad1D(1)([gpuarray.zeros((1, 2, 3))] * 3)
