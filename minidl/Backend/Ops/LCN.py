"""Local contrast normalization on the device: outputs and launches for Kernels/LCN.cu."""

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("LCN")


def forward(data, means, size, alpha, beta, K):
    """(y, strengths, pivots)"""
    batch, maps, height, width = data.shape
    out = empty(data.shape, data.dtype)
    strengths, pivots = (empty(data.shape, sumType(data.dtype)) for _ in range(2))
    kernels.lcn(batch * maps, data, means, out, strengths, pivots, height, width, size,
                alpha / size ** 2, beta, K)
    return out, strengths, pivots


def backward(data, out, strengths, pivots, grad, size, alpha, beta):
    batch, maps, height, width = data.shape
    ingrad = empty(data.shape, data.dtype)
    kernels.lcnBackward(batch * maps, data, out, strengths, pivots, grad, ingrad, height, width,
                        size, alpha / size ** 2, beta)
    return ingrad
