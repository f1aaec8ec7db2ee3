"""Arrays on the device, by PyCUDA's names: GPUArrays on a GPU, numpy's own on the CPU."""

import numpy as np

from minidl.Backend import Device


def __getattr__(name):
    # These belong to the device, which is chosen when one of them is first asked for.
    if name in ("GPUArray", "memoryPool"):
        return getattr(Device.current(), name)
    if name == "SharedArray":
        from minidl.Backend.SharedArray import SharedArray

        return SharedArray
    if name == "globalRng":
        from minidl.Backend.Ops.Random import globalRng

        return globalRng
    raise AttributeError(f"module {__name__} has no attribute {name}")


def to_gpu(ary, allocator=None):
    """A copy of the host array `ary` on the device, with its shape and dtype."""
    return Device.current().toDevice(ary)


def toHost(array):
    """A numpy array with the values of an array of either side."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


def empty(shape, dtype=np.float32, allocator=None):
    return Device.current().empty(shape, dtype)


def zeros(shape, dtype=np.float32, allocator=None):
    return empty(shape, dtype).fill(0)


def setupDebugAllocator():
    """For tests: from now on `empty` gives arrays full of NaN."""
    Device.current().memoryPool.setupDebug()


def contiguous(array):
    """`array` itself if its elements are one run in memory, else a copy in which they are."""
    try:
        return array if array.layout is not None else array.copy()
    except AttributeError:
        raise TypeError(
            f"got {type(array).__name__}; gpuarray.to_gpu puts a numpy array there") from None


def dtypesSupported():
    """(dtype, relative error to expect) for each dtype that modules compute in."""
    return Device.current().dtypes


def getDeviceName():
    return Device.current().describe()
