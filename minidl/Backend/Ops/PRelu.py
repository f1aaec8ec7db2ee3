"""Ramps of two slopes on the device: outputs and launches for Kernels/PRelu.cu."""

from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("PRelu")
grain = 1 << 12  # elements that are worth a block of their own


def forward(data, slopes, out=None):
    """data where it is above 0, else slope * data; `slopes` are one, or one for each of axis 1."""
    out = empty(data.shape, data.dtype) if out is None else out
    blocks, rows, inner, share = shares(data.shape)
    kernels.preluForward(blocks, data, slopes, out, rows, inner, slopes.size, share)
    return out


def backward(data, grad, slopes):
    """dL/d(data) for grad = dL/d(forward)"""
    ingrad = empty(grad.shape, grad.dtype)
    blocks, rows, inner, share = shares(data.shape)
    kernels.preluBackward(blocks, data, grad, slopes, ingrad, rows, inner, slopes.size, share)
    return ingrad


def slopesGrad(data, grad, out, alpha=1.0, beta=0.0):
    """out = alpha dL/d(slopes) + beta out for grad = dL/d(forward)"""
    batch, maps, inner = data.shape[0], data.shape[1], prod(data.shape[2:])
    sums = empty(maps, sumType(data.dtype))
    kernels.preluMapSums(maps, data, grad, sums, batch, maps, inner)
    kernels.preluSlopesGrad(out.size, sums, out, maps // out.size, alpha, beta)


def shares(shape):
    """(blocks, rows, their length, rows of a block)"""
    rows, inner = prod(shape[:2]), prod(shape[2:])
    share = max(grain // max(inner, 1), 1)
    return max(-(-rows // share), 1), rows, inner, share
