"""
Pooling on the device: outputs and launches for Kernels/Pool.cu.

`g` is the ConvGeometry of a window that slides over each map by itself.
"""

from math import prod

import numpy as np

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Pool")


def maxPool(data, g, relu=False):
    """
    (out, mask): the maximum of each place, or the larger of that and 0 if relu, and the maximum's
    int32 index in its map.
    """
    out, mask = empty(g.outShape, data.dtype), empty(g.outShape, np.int32)
    kernels.maxPool(planes(g), data, out, mask, *sizes(g), relu)
    return out, mask


def maxPoolBackward(grad, mask, g, out=None):
    """dL/d(data) for grad = dL/d(out), with the `out` of maxPool if that had relu"""
    ingrad = empty(g.dataShape, grad.dtype)
    # What is not there, no kernel touches: any array can stand in its place.
    arrays = grad, mask, grad if out is None else out, ingrad
    kernels.maxPoolBackward(planes(g), *arrays, *sizes(g), out is not None)
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
