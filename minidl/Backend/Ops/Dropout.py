"""Dropout on the device: outputs and launches for Kernels/Dropout.cu."""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Dropout")


def dropout(data, rands, partition, scale, out=None):
    """out = scale * data where rands < partition, else 0; `out` may be `data`."""
    out = empty(data.shape, data.dtype) if out is None else out
    kernels.dropout(elements(data.size), data, rands, out, data.size, partition, scale)
    return out


def dropMaps(data, rands, mapsize, partition, scale, out=None):
    """The same with a random number for each run of `mapsize` elements."""
    out = empty(data.shape, data.dtype) if out is None else out
    kernels.dropMaps(rands.size, data, rands, out, mapsize, partition, scale)
    return out
