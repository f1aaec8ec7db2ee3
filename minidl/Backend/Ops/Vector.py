"""Arithmetic on whole arrays: launches for Kernels/Vector.cu."""

import numpy as np

from minidl.Backend.Device import columns, elements
from minidl.Backend.gpuarray import contiguous, empty, to_gpu
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import isFloating, isHalf, sumType

kernels = KernelFile("Vector")
share = 1 << 14  # elements that one block counts


def fill(out, value):
    kernels.fill(elements(out.size), out, out.size, value)
    return out


def addScaled(a, b, out=None, alpha=1.0, beta=1.0):
    """out = alpha a + beta b; with beta = 0, b may hold anything. `out` may be a or b."""
    out = empty(a.shape, a.dtype) if out is None else out
    kernels.addScaled(elements(a.size), a, b, out, a.size, alpha, beta)
    return out


def sumRows(matrix, out, alpha=1.0, beta=0.0):
    """out = alpha (sum over axis 0 of `matrix`) + beta out"""
    rows, length = matrix.shape
    kernels.sumRows(columns(length), matrix, out, rows, length, alpha, beta)
    return out


def sumTo(array, out, index):
    """out[index] = sum of all elements of a small array"""
    kernels.sumTo(1, array, out, array.size, index)
    return out


def countNotFinite(arrays):
    """How many elements of the arrays are NaN or infinite, by one wait for the device."""
    numbers = [-(-array.size // share) for array in arrays]
    counts, first = empty(sum(numbers), np.int32), 0
    for array, number in zip(arrays, numbers, strict=True):
        kernels.countNotFinite(number, array, counts, array.size, share, first)
        first += number
    return int(counts.get().sum())


def cast(array, dtype, out=None):
    """out = `array`, rounded to `dtype`"""
    out = empty(array.shape, dtype) if out is None else out
    if array.dtype == out.dtype:
        out[...] = array
    elif isHalf(array.dtype) and out.dtype == sumType(array.dtype):
        kernels.toAccum(elements(array.size), array, out, array.size)
    elif isHalf(out.dtype) and array.dtype == sumType(out.dtype):
        kernels.fromAccum(elements(array.size), array, out, array.size)
    else:
        out.set(array.get().astype(out.dtype))  # rare, and not worth a kernel
    return out


def gather(array, indices):
    """The rows of `array` that the int32 array `indices` names, in its order."""
    array = contiguous(array)
    if not isFloating(array.dtype) and array.dtype != np.int32:
        return to_gpu(array.get()[indices.get()])  # rare, and not worth a kernel

    out = empty((indices.size,) + array.shape[1:], array.dtype)
    length = array.size // max(array.shape[0], 1)
    if out.size:
        kernel = kernels.gatherRows if isFloating(array.dtype) else kernels.gatherLabels
        kernel(indices.size, array, indices, out, length)
    return out
