"""Larger maps on the device: outputs and launches for Kernels/Upsample.cu."""

from minidl.Backend.ConvGeometry import ofThree
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Upsample")


def nearest(data, scale):
    return enlarged(kernels.nearest, data, scale)


def nearestBackward(grad, scale):
    return reduced(kernels.nearestBackward, grad, scale)


def linear(data, scale):
    return enlarged(kernels.linear, data, scale)


def linearBackward(grad, scale):
    return reduced(kernels.linearBackward, grad, scale)


def enlarged(kernel, data, scale):
    out = empty(upShape(data.shape, scale), data.dtype)
    launch(kernel, data, out, data.shape, scale)
    return out


def reduced(kernel, grad, scale):
    sizes = (size // times for size, times in zip(grad.shape[2:], scale, strict=True))
    ingrad = empty((*grad.shape[:2], *sizes), grad.dtype)
    launch(kernel, grad, ingrad, ingrad.shape, scale)
    return ingrad


def launch(kernel, read, written, shape, scale):
    kernel(shape[0] * shape[1], read, written, *ofThree(shape[2:], 1), *ofThree(scale, 1))


def upShape(shape, scale):
    return *shape[:2], *(size * times for size, times in zip(shape[2:], scale, strict=True))
