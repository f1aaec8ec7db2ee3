"""Activations on the device: outputs and launches for Kernels/Activation.cu."""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Activation")
names = ("sigmoid", "tanh", "relu", "leakyRelu", "elu", "softPlus", "clip")


def forward(name, data, args=(), out=None):
    """out = name(data), element by element; `out` may be `data`."""
    out = empty(data.shape, data.dtype) if out is None else out
    getattr(kernels, name + "Forward")(elements(data.size), data, out, data.size, *args)
    return out


def backward(name, out, grad, args=(), ingrad=None):
    """grad times the derivative, found from the forward's output; `ingrad` may be `grad`."""
    ingrad = empty(grad.shape, grad.dtype) if ingrad is None else ingrad
    getattr(kernels, name + "Backward")(elements(grad.size), out, grad, ingrad, grad.size, *args)
    return ingrad
