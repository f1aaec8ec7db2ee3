"""Arrays on the device, by PyCUDA's names: GPUArrays on a GPU, numpy's own on the CPU."""

import time

import numpy as np

from minidl import Config
from minidl.Backend import Device
from minidl.Backend.Device import OutOfMemoryError  # noqa: F401


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


def contiguous(array):
    """`array` itself if its elements are one run in memory, else a copy in which they are."""
    array = adopted(array)
    return array if array.layout is not None else array.copy()


def adopted(array):
    """An array that somebody else has made on the device, PyCUDA say, as one of minidl's."""
    device = Device.current()
    array = device.adopt(array)
    if not isinstance(array, device.GPUArray):
        raise TypeError(f"got {type(array).__name__}; gpuarray.to_gpu puts a numpy array there")
    return array


def copy(dest, source):
    """Copies `source` into `dest`, or into a new array if that is None; returns it."""
    if dest is None:
        return source.copy()
    if dest.shape != source.shape or dest.dtype != source.dtype:
        raise ValueError(f"copy needs arrays alike, got {source.dtype} of shape {source.shape} "
                         f"for {dest.dtype} of {dest.shape}")
    dest[...] = source
    return dest


def concatenate(arrays, axis=0, out=None):
    """The arrays one behind the other along `axis`; they agree in dtype and other sizes."""
    shapes = [list(array.shape) for array in arrays]
    length = sum(shape.pop(axis) for shape in shapes)
    if any(shape != shapes[0] for shape in shapes) or len({array.dtype for array in arrays}) > 1:
        raise ValueError(f"concatenate needs arrays that differ along axis {axis} only, got "
                         + ", ".join(f"{array.dtype} of {array.shape}" for array in arrays))

    axis %= arrays[0].ndim
    shape = (*shapes[0][:axis], length, *shapes[0][axis:])
    out = empty(shape, arrays[0].dtype) if out is None else out
    if out.shape != shape:
        raise ValueError(f"concatenate: out must have shape {shape}, got {out.shape}")

    before, start = (slice(None),) * axis, 0
    for array in arrays:
        out[(*before, slice(start, start + array.shape[axis]))] = array
        start += array.shape[axis]
    return out


def split(ary, sections, axis=0):
    """Copies of consecutive parts along `axis`, whose sizes there are `sections`."""
    axis %= ary.ndim
    if sum(sections) != ary.shape[axis]:
        raise ValueError(f"split: sections must sum up to {ary.shape[axis]}, got {sections}")
    ends = np.cumsum(sections)
    before = (slice(None),) * axis
    return [ary[(*before, slice(end - size, end))].copy()
            for size, end in zip(sections, ends.tolist(), strict=True)]


def tile(ary, times, axis=0):
    """`ary` repeated `times` times along `axis`."""
    return concatenate([ary] * times, axis)


def minimum(ary):
    """The smallest element, as an array without axes; NaN if there is one."""
    return Device.current().reduce(np.min, ary)


def maximum(ary):
    """The largest element, as an array without axes; NaN if there is one."""
    return Device.current().reduce(np.max, ary)


def fillUniform(ary, minval=0.0, maxval=1.0, rng=None):
    """Fills with random numbers, uniform in [minval, maxval)."""
    return (__getattr__("globalRng") if rng is None else rng).fillUniform(ary, minval, maxval)


def fillNormal(ary, mean=0.0, stddev=1.0, rng=None):
    """Fills with normal random numbers."""
    return (__getattr__("globalRng") if rng is None else rng).fillNormal(ary, mean, stddev)


def dtypesSupported():
    """(dtype, relative error to expect) for each dtype that modules compute in."""
    return Device.current().dtypes


def getDeviceName():
    return Device.current().describe()


def setupDebugAllocator():
    """For tests: from now on `empty` gives arrays full of NaN."""
    Device.current().memoryPool.setupDebug()


def timeKernel(func, args, kwargs=None, looplength=1000, log=True, logname=None, normalize=False,
               hotpass=True):
    """
    Seconds of `looplength` calls of func(*args, **kwargs), or of one of them if `normalize`.

    Args:
        log: say it, under the name `logname`.
        hotpass: call once before, which compiles what is new.
    """
    kwargs = kwargs or {}
    if hotpass:
        func(*args, **kwargs)
    Device.current().synchronize()
    start = time.perf_counter()
    for _ in range(looplength):
        func(*args, **kwargs)
    Device.current().synchronize()
    seconds = (time.perf_counter() - start) / (looplength if normalize else 1)
    if log:
        Config.getLogger().info("%s: %.3g s", logname or getattr(func, "__name__", func), seconds)
    return seconds
