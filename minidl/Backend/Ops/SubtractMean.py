"""Means of neighbourhoods on the device: outputs and launches for Kernels/SubtractMean.cu."""

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops.Vector import addScaled

kernels = KernelFile("SubtractMean")


def localMeans(data, size, includePad):
    """The mean around each number, over windows of size x size."""
    means = empty(data.shape, data.dtype)
    batch, maps, height, width = data.shape
    kernels.localMeans(batch * maps, data, means, height, width, size, int(includePad))
    return means


def forward(data, means):
    return addScaled(data, means, beta=-1.0)


def backward(grad, size, includePad):
    ingrad = empty(grad.shape, grad.dtype)
    batch, maps, height, width = grad.shape
    kernels.subtractMeanBackward(batch * maps, grad, ingrad, height, width, size, int(includePad))
    return ingrad
