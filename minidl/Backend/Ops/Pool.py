"""
Pooling on the device: outputs and launches for Kernels/Pool.cu.

`g` is the ConvGeometry of a window that slides over each map by itself.
"""

from math import prod

import numpy as np

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Pool")


def maxPool(data, g):
    """(maxima, mask): the maximum of each place, and its int32 index in its map."""
    out, mask = empty(g.outShape, data.dtype), empty(g.outShape, np.int32)
    kernels.maxPool(planes(g), data, out, mask, *sizes(g))
    return out, mask


def maxPoolBackward(grad, mask, g):
    """dL/d(data) for grad = dL/d(maxima)"""
    ingrad = empty(g.dataShape, grad.dtype)
    kernels.maxPoolBackward(planes(g), grad, mask, ingrad, *sizes(g))
    return ingrad


def planes(g):
    return prod(g.dataShape[:2])


def sizes(g):
    return *g.size, *g.window, *g.places, *g.stride, *g.pad


def avgPool(data, g, includePad):
    """The mean of each place; what lies outside of data counts as zeros, or not at all."""
    out = empty(g.outShape, data.dtype)
    kernels.avgPool(planes(g), data, out, *sizes(g), includePad)
    return out


def avgPoolBackward(grad, g, includePad):
    """dL/d(data) for grad = dL/d(means)"""
    ingrad = empty(g.dataShape, grad.dtype)
    kernels.avgPoolBackward(planes(g), grad, ingrad, *sizes(g), includePad)
    return ingrad
