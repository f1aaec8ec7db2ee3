"""Batch normalization in numpy and float64, as its formulas are written, for any axes."""

import numpy as np

from minidl.Backend import gpuarray

cases = [  # (shape of the data, axes that are normalized together)
    ((7, 5), (0,)),
    ((5, 7), (1,)),
    ((4, 3, 5), (0, 2)),
    ((2, 3, 4, 5), (0, 2, 3)),
    ((2, 3, 4, 5), (0,)),
    ((2, 3, 4, 5), (0, 1, 2)),
    ((2, 3, 4, 5), (1, 2, 3)),
    ((2, 3, 4, 5), (2, 3)),
    ((2, 3, 4, 5), (0, 2)),
    ((2, 3, 4, 5), (1, 3)),
    ((2, 3, 4, 5), (1,)),
    ((2, 3, 4, 5), (1, 2)),
    ((2, 3, 4), (0, 1, 2)),
    ((3, 1, 5), (0, 2)),
    ((1, 3, 5), (0, 2)),
    ((2, 3, 1, 5, 2), (0, 2, 4)),
    ((2, 3, 2, 2, 3), (0, 2, 3, 4)),
    ((67, 70), (0,)),
    ((3, 130, 11), (0, 2)),
]


class Reference:
    """
    The formulas for data x, gradient g and small arrays of x's axes, with 1 for each of `axes`.

    Of a training pass if `mean` is None, else of inference; `std` takes the place of `var`.
    """

    def __init__(self, x, axes, scale, bias=0, g=None, mean=None, var=None, std=None, epsilon=1e-5):
        x, scale = x.astype(np.float64), np.asarray(scale, np.float64)
        self.count = np.prod([x.shape[axis] for axis in axes])
        self.mean = x.mean(axes, keepdims=True) if mean is None else mean
        self.var = ((x - self.mean) ** 2).mean(axes, keepdims=True) if mean is None else var
        self.invStd = 1 / (np.sqrt(self.var + epsilon) if std is None else std)
        xHat = (x - self.mean) * self.invStd
        self.out = scale * xHat + bias
        if g is None:
            return

        g = g.astype(np.float64)
        self.scaleGrad = (g * xHat).sum(axes, keepdims=True)
        self.biasGrad = g.sum(axes, keepdims=True)
        self.grad = scale * self.invStd * g
        self.gradSize = np.abs(self.grad).max()  # of the terms, which may cancel in the sum
        if mean is None:
            self.grad = scale * self.invStd * (
                g - self.biasGrad / self.count - xHat * self.scaleGrad / self.count)
        self.meanGrad = -scale * self.invStd * self.biasGrad
        self.stdGrad = -scale * self.invStd * self.scaleGrad
        self.varGrad = self.stdGrad * self.invStd / 2


class Problem:
    """Random data of a shape, and small arrays with the axes squeezed out or full of 1s."""

    def __init__(self, rng, shape, axes, dtype=np.float32, full=False):
        self.shape, self.axes, self.dtype = shape, axes, np.dtype(dtype)
        self.fullShape = tuple(1 if at in axes else size for at, size in enumerate(shape))
        squeezed = tuple(size for at, size in enumerate(shape) if at not in axes)
        self.small = self.fullShape if full else squeezed
        self.sumType = np.dtype(np.float32) if self.dtype.itemsize == 2 else self.dtype

        self.x = (rng.standard_normal(shape) * 2 + 1).astype(dtype)
        self.g = rng.standard_normal(shape).astype(dtype)
        self.scale, self.bias, self.mean = rng.standard_normal((3, *self.small)).astype(
            self.sumType)
        self.var = rng.uniform(0.5, 3, self.small).astype(self.sumType)

    def inFull(self, *arrays):
        return [array.astype(np.float64).reshape(self.fullShape) for array in arrays]

    def trained(self, epsilon=1e-5):
        scale, bias = self.inFull(self.scale, self.bias)
        return Reference(self.x, self.axes, scale, bias, self.g, epsilon=epsilon)

    def inferred(self, epsilon=1e-5):
        scale, bias, mean, var = self.inFull(self.scale, self.bias, self.mean, self.var)
        return Reference(
            self.x, self.axes, scale, bias, self.g, mean=mean, var=var, epsilon=epsilon)


def randomCases(rng, number=200):
    """(x, g, axes), of which 1 to all are normalized, with two values a channel or more."""
    while number:
        shape = tuple(map(int, rng.integers(1, 6, rng.integers(2, 6))))
        axes = tuple(map(int, rng.permutation(len(shape))[:rng.integers(1, len(shape) + 1)]))
        if np.prod([shape[axis] for axis in axes]) > 1:
            number -= 1
            yield *rng.standard_normal((2, *shape)), axes


def onDevice(*arrays):
    return [gpuarray.to_gpu(array) for array in arrays]


def assertClose(actual, expected, dtype, factor=1, size=1e-3):
    """The difference is as a dtype's rounding lets expect, beside the largest number or `size`."""
    tolerance = {8: 1e-12, 4: 1e-5, 2: 1e-2}[np.dtype(dtype).itemsize]
    tolerance *= factor * (4 if np.dtype(dtype).char == "E" else 1)
    actual = (actual.get() if hasattr(actual, "get") else actual).astype(np.float64)
    expected = np.asarray(expected, np.float64).reshape(actual.shape)
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, 0, tolerance * max(largest, size))
