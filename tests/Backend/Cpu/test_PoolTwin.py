"""Kernels/Cpu/Pool.cpp held to the plain text, Kernels/Pool.cu."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.ConvGeometry import geometry
from minidl.Backend.Ops import Pool
from tests.BatchNormTwins import check, everyReal, plainKernels
from tests.Windows import everyWindow, perAxis

wide = pytest.mark.parametrize("shape, size, stride, pad", [  # rows of several vectors
    ((1, 1, 2), 2, 2, 0), ((9, 40, 5, 13), 3, 2, 0), ((130, 3, 10, 10), 2, 2, 0),
    ((2, 30, 27, 27), 2, 2, 0), ((40, 5, 1, 26), (1, 2), (1, 2), 0),
    ((3, 2, 31), 2, 2, 0), ((2, 1, 131), 3, 1, 1), ((70, 1, 7), 3, 2, 1),
    ((2, 3, 26, 26), 2, 2, 0), ((5, 4, 10, 10), 2, 2, 0), ((1, 2, 29, 97), 3, 1, 1),
    ((2, 2, 5, 67), 3, 2, 1), ((2, 2, 33, 35), 3, 2, 0), ((1, 3, 9, 83), 5, 3, 2),
    ((2, 1, 40, 41), 7, 1, 3), ((1, 2, 6, 100), (1, 4), (2, 5), (0, 3)),
    ((2, 1, 3, 100), (3, 40), (1, 2), (1, 39)), ((2, 2, 5, 6, 37), 2, 2, 1),
    ((1, 2, 4, 3, 50), (2, 3, 3), (1, 2, 1), (1, 2, 1)), ((2, 2, 3, 3, 17), 3, 2, 0)], ids=str)


@pytest.fixture(scope="module")
def plain():
    return plainKernels("Pool")


def geometryOf(shape, size, stride, pad):
    nd = len(shape) - 2
    size, stride, pad = (perAxis(value, nd) for value in (size, stride, pad))
    return geometry(shape, (shape[1], 1, *size), stride, pad, (1,) * nd, shape[1])


def results(x, g, grads):
    """The outputs, the mask and the gradients of all pools, as host arrays."""
    data, grad = gpuarray.to_gpu(x), gpuarray.to_gpu(grads)
    maxima, mask = Pool.maxPool(data, g)
    relued, _ = Pool.maxPool(data, g, relu=True)
    found = [maxima, relued, mask, Pool.maxPoolBackward(grad, mask, g),
             Pool.maxPoolBackward(grad, mask, g, relued)]
    for includePad in (True, False):
        found += [Pool.avgPool(data, g, includePad), Pool.avgPoolBackward(grad, g, includePad)]
    return [array.get() for array in found]


def compare(monkeypatch, plain, x, g, grads):
    found = results(x, g, grads)
    monkeypatch.setattr(Pool, "kernels", plain)
    expected = results(x, g, grads)
    for one, other in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    check(found[3:], expected[3:])


@everyReal
@wide
def test_wide_rows_are_as_in_the_plain_text(
        shape, size, stride, pad, dtype, plain, monkeypatch, rng):
    g = geometryOf(shape, size, stride, pad)
    x, grads = (rng.standard_normal(each).astype(dtype) for each in (shape, g.outShape))
    compare(monkeypatch, plain, x, g, grads)


@everyReal
@everyWindow
def test_equals_nan_and_infinity_are_as_in_the_plain_text(
        shape, size, stride, pad, dtype, plain, monkeypatch, rng):
    g = geometryOf(shape, size, stride, pad)
    x, grads = rng.integers(0, 3, shape).astype(dtype), rng.integers(0, 3, g.outShape).astype(dtype)
    for special in (np.nan, np.inf, -np.inf):
        x[rng.uniform(size=shape) < 0.1] = special
    compare(monkeypatch, plain, x, g, grads)


@wide
def test_bits_do_not_depend_on_threads(shape, size, stride, pad, device, rng):
    g = geometryOf(shape, size, stride, pad)
    x, grads = (rng.standard_normal(each).astype(np.float32) for each in (shape, g.outShape))
    found = []
    for threads in (1, 2, 3, 5):
        device.setThreads(threads)
        found.append(results(x, g, grads))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
