"""The inverse of max pooling on the device: outputs and launches for Kernels/MaxUnpool.cu."""

from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops.Pool import maxPoolBackward, planes

kernels = KernelFile("MaxUnpool")


def maxUnpool(data, mask, g):
    """Each number where its maximum was, zeros elsewhere; mask and geometry are the pool's."""
    return maxPoolBackward(data, mask, g)


def maxUnpoolBackward(grad, mask, g):
    """dL/d(data) for grad = dL/d(maxUnpool(data))"""
    ingrad = empty(mask.shape, grad.dtype)
    kernels.readAtMask(planes(g), grad, mask, ingrad, prod(g.size), prod(g.places))
    return ingrad
