"""Gelu on the device: outputs and launches for Kernels/Gelu.cu."""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Gelu")


def forward(data, out=None):
    """data times the normal distribution at data; `out` may be `data`."""
    out = empty(data.shape, data.dtype) if out is None else out
    kernels.geluForward(elements(data.size), data, out, data.size)
    return out


def backward(data, grad):
    """dL/d(data) for grad = dL/d(forward)"""
    ingrad = empty(grad.shape, grad.dtype)
    kernels.geluBackward(elements(grad.size), data, grad, ingrad, grad.size)
    return ingrad
