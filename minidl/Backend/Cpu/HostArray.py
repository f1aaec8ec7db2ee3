"""The CPU's arrays: numpy's, with the names of PyCUDA's GPUArray."""

import functools
import math
import operator

import numpy as np

from minidl.Backend.Cpu.MemoryPool import MemoryPool, OutOfMemoryError

memoryPool = MemoryPool()
newArray = np.ndarray.__new__


class GPUArray(np.ndarray):
    """
    A numpy array in memory of the pool, with GPUArray's `get`, `set`, `gpudata`, `ptr`.

    What kernels need is found once and kept: `ptr`, the address, and `layout`, the dtype's letter,
    or None where the elements are not one contiguous run.
    """

    __slots__ = ("memory", "ptr", "layout")

    def __new__(cls, shape, dtype=np.float32, allocator=None):
        return empty(shape, dtype)

    def __del__(self, release=memoryPool.release):
        if (memory := self.memory) is not None:
            release(memory)

    def __getattr__(self, name):
        # Only views and numpy's own results come here; `empty` sets all three at once.
        if name == "memory":
            value = None
        elif name == "ptr":
            value = self.__array_interface__["data"][0]
        elif name == "layout":
            isContiguous = self.flags.c_contiguous and self.dtype.isnative
            value = self.dtype.char if isContiguous else None
        else:
            raise AttributeError(f"GPUArray has no attribute {name}")
        setattr(self, name, value)
        return value

    def reshape(self, *shape, order="C"):
        made = super().reshape(*shape, order=order)
        if order == "C" and self.layout:  # of the same run, which need not be found out again
            made.memory, made.ptr, made.layout = None, self.ptr, self.layout
        return made

    @property
    def gpudata(self):
        return self.ptr

    @property
    def contiguous(self):
        return self.flags.c_contiguous

    def get(self):
        """A copy as an ordinary numpy array."""
        return np.array(self, subok=False)

    def set(self, ary):
        """Takes the values of `ary`, which has the same shape and dtype."""
        ary = np.asarray(ary)
        if ary.shape != self.shape or ary.dtype != self.dtype:
            raise ValueError(
                f"set needs {self.dtype} of shape {self.shape}, got {ary.dtype} of {ary.shape}")
        self[...] = ary

    def fill(self, value):
        np.ndarray.fill(self, value)
        return self

    def copy(self, allocator=None):
        made = empty(self.shape, self.dtype)
        made[...] = self
        return made

    def __reduce__(self):
        # Unpickled arrays and deep copies are of the pool as well.
        return fromHost, (self.get(),)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __str__(self):
        return str(np.asarray(self))

    def __repr__(self):
        return repr(np.asarray(self))


def empty(shape, dtype=np.float32):
    """An array of the pool; its values are whatever the memory held."""
    shape, dtype, letter, nbytes = plan(tuple(shape) if type(shape) is list else shape, dtype)
    try:
        memory = memoryPool.allocate(nbytes)
    except OutOfMemoryError as error:
        raise OutOfMemoryError(f"an array of shape {shape} and {dtype}: {error}") from None

    array = newArray(GPUArray, shape, dtype, memory)
    array.memory = memory
    array.ptr = memory.ptr
    array.layout = letter
    return array


@functools.lru_cache(1 << 12)
def plan(shape, dtype):
    """(shape as a tuple of Python's integers, which cannot overflow; dtype; its letter; bytes)."""
    sizes = shape if np.iterable(shape) else (shape,)
    shape, dtype = tuple(map(operator.index, sizes)), np.dtype(dtype).newbyteorder("=")
    return shape, dtype, dtype.char, math.prod(shape) * dtype.itemsize


def fromHost(values):
    values = np.asarray(values)
    array = empty(values.shape, values.dtype)
    array[...] = values
    return array
