"""
Local response normalization on the device: outputs and launches for Kernels/LRN.cu.

`window` has the sizes of the window along (maps, height, width).
"""

from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("LRN")


def forward(data, window, alpha, beta, K):
    """(y, strengths)"""
    out = empty(data.shape, data.dtype)
    strengths = empty(data.shape, sumType(data.dtype))
    kernels.lrn(planes(data), data, out, strengths, *data.shape[1:], *window,
                alpha / prod(window), beta, K)
    return out, strengths


def backward(data, out, strengths, grad, window, alpha, beta):
    ingrad = empty(data.shape, data.dtype)
    kernels.lrnBackward(planes(data), data, out, strengths, grad, ingrad, *data.shape[1:], *window,
                        alpha / prod(window), beta)
    return ingrad


def planes(data):
    return data.shape[0] * data.shape[1]
