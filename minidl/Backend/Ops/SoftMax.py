"""SoftMax over axis 1 on the device: shapes, outputs and launches for Kernels/SoftMax.cu."""

from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("SoftMax")


def forward(data):
    out = empty(data.shape, data.dtype)
    batch, maps, inner = data.shape[0], data.shape[1], prod(data.shape[2:])
    if inner == 1:
        kernels.softMaxRows(batch, data, out, maps)
    else:
        kernels.softMaxColumns(batch, data, out, maps, inner)
    return out


def backward(out, grad):
    ingrad = empty(out.shape, out.dtype)
    batch, maps, inner = out.shape[0], out.shape[1], prod(out.shape[2:])
    if inner == 1:
        kernels.softMaxRowsBackward(batch, out, grad, ingrad, maps)
    else:
        kernels.softMaxColumnsBackward(batch, out, grad, ingrad, maps, inner)
    return ingrad
