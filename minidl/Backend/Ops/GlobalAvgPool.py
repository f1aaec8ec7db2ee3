"""Means of whole maps on the device: outputs and launches for Kernels/GlobalAvgPool.cu."""

from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("GlobalAvgPool")


def globalAvgPool(data):
    """(batch, maps): the mean over all further axes"""
    out = empty(data.shape[:2], data.dtype)
    kernels.planeMeans(out.size, data, out, prod(data.shape[2:]))
    return out


def globalAvgPoolBackward(grad, shape):
    """dL/d(data) for grad = dL/d(means) of data of `shape`"""
    ingrad = empty(shape, grad.dtype)
    kernels.planeMeansBackward(grad.size, grad, ingrad, prod(shape[2:]))
    return ingrad
