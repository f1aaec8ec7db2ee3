"""
Maps inside of larger ones on the device: outputs and launches for Kernels/Pad.cu.

`starts` says at which place of each axis the small map begins in the large one.
"""

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Pad")


def constant(data, shape, starts, value, out=None, firstMap=0):
    """Surrounds the maps with `value`; they are those of the result from firstMap on."""
    out = empty(shape, data.dtype) if out is None else out
    maps, outMaps, sizes, outSizes = ofTwo(data.shape, out.shape)
    kernels.surround(data.shape[0] * maps, data, out, maps, *sizes, firstMap, outMaps, *outSizes,
                     *twoStarts(starts), value)
    return out


def cut(grad, shape, starts, firstMap=0):
    """What `constant` has surrounded."""
    ingrad = empty(shape, grad.dtype)
    maps, outMaps, sizes, outSizes = ofTwo(shape, grad.shape)
    kernels.cut(shape[0] * maps, grad, ingrad, maps, *sizes, firstMap, outMaps, *outSizes,
                *twoStarts(starts))
    return ingrad


def reflect(data, shape, starts):
    """Surrounds the maps with their mirror images."""
    out = empty(shape, data.dtype)
    maps, _, sizes, outSizes = ofTwo(data.shape, shape)
    kernels.reflect(data.shape[0] * maps, data, out, *sizes, *outSizes, *twoStarts(starts))
    return out


def reflectBackward(grad, shape, starts):
    ingrad = empty(shape, grad.dtype)
    maps, _, sizes, outSizes = ofTwo(shape, grad.shape)
    kernels.reflectBackward(shape[0] * maps, grad, ingrad, *sizes, *outSizes, *twoStarts(starts))
    return ingrad


def ofTwo(shape, outShape):
    """(maps, outMaps, (height, width), (outHeight, outWidth)); sequences have a height of 1."""
    return shape[1], outShape[1], (1, *shape[2:])[-2:], (1, *outShape[2:])[-2:]


def twoStarts(starts):
    return (0, *starts)[-2:]
