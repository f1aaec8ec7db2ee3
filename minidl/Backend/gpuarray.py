"""Arrays on the device, by PyCUDA's names: GPUArrays on a GPU, numpy's own on the CPU."""

import numpy as np

from minidl.Backend import Device


def __getattr__(name):
    # These belong to the device, which is chosen when one of them is first asked for.
    if name in ("GPUArray", "memoryPool"):
        return getattr(Device.current(), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")


def to_gpu(ary, allocator=None):
    """A copy of the host array `ary` on the device, with its shape and dtype."""
    return Device.current().toDevice(ary)


def empty(shape, dtype=np.float32, allocator=None):
    return Device.current().empty(shape, dtype)


def zeros(shape, dtype=np.float32, allocator=None):
    return empty(shape, dtype).fill(0)
