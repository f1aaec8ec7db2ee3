"""Arrays on the GPU: PyCUDA's, with what kernels need found once."""

import contextlib
import functools
import math
import operator

import numpy as np
import pycuda.gpuarray

from minidl.Backend import Device
from minidl.Backend.Device import OutOfMemoryError

create = object.__new__
plainIndices = int, np.integer, slice, type(None), type(Ellipsis)
legacyStream = 1  # the default stream, as __cuda_array_interface__ calls it


class GPUArray(pycuda.gpuarray.GPUArray):
    """
    A pycuda.gpuarray.GPUArray in memory of the pool.

    What kernels need is found once and kept: `ptr`, the address, and `layout`, the dtype's letter,
    or None where the elements are not one contiguous run. Views, copies and assignments follow
    numpy, and work in the device's stream.
    """

    ptr = layout = None  # of the class, so that an array's own take the place of PyCUDA's property

    def __init__(self, shape, dtype=np.float32, allocator=None, **options):
        allocator = allocator or Device.current().memoryPool.allocate
        super().__init__(shape, dtype, allocator, **options)
        settle(self)

    @property
    def __cuda_array_interface__(self):
        """What other libraries take the array by, with the stream that they must wait for."""
        # Not PyCUDA's own, which says that nothing has to be waited for.
        return {
            "version": 3, "shape": self.shape, "typestr": self.dtype.str, "data": (self.ptr, False),
            "strides": None if self.layout else self.strides,
            "stream": Device.current().stream.handle}

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("numpy cannot take device memory without a copy")
        return np.asarray(self.get(), dtype)

    def get(self, ary=None, pagelocked=False, async_=False, stream=None):
        """A copy as an ordinary numpy array."""
        if ary is not None or pagelocked or async_:
            return super().get(ary, pagelocked, async_, stream)
        return Device.current().transfers.toHost(self if self.layout is not None else self.copy())

    def set(self, ary, async_=False, stream=None):
        """Takes the values of `ary`, which has the same shape and dtype."""
        ary = np.asarray(ary)
        if ary.shape != self.shape or ary.dtype != self.dtype:
            raise ValueError(
                f"set needs {self.dtype} of shape {self.shape}, got {ary.dtype} of {ary.shape}")
        self[...] = ary

    def fill(self, value, stream=None):
        device = Device.current()
        pattern = np.array(value).astype(self.dtype)
        if self.layout is None or not device.transfers.fill(self, pattern):
            device.strided.copy(self, spread(fromHost(pattern), self.shape))
        return self

    def copy(self, allocator=None):
        made = empty(self.shape, self.dtype)
        made[...] = self
        return made

    def __setitem__(self, index, value):
        part = self[index]
        if not part.size:
            return
        if np.isscalar(value):
            part.fill(value)
        elif isinstance(value := adopt(value), GPUArray):
            Device.current().strided.copy(part, spread(value, part.shape))
        else:
            values = np.asarray(value)
            if part.layout is None or values.shape != part.shape or values.dtype != part.dtype:
                part[...] = fromHost(np.broadcast_to(values, part.shape).astype(part.dtype))
            else:
                Device.current().transfers.toDevice(part, values)

    # Views, with numpy's own rules: it reckons with the addresses, and never reads there.

    def shadow(self):
        return np.asarray(Shadow(self))

    def viewOf(self, shadow):
        return view(self, shadow.shape, self.dtype, shadow.strides,
                    shadow.__array_interface__["data"][0])

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(i, plainIndices) for i in index):
            raise IndexError(
                f"an array on the GPU takes integers, slices, None and ..., got {index}")
        # With an ellipsis the result is a view always, where numpy would read a number.
        return self.viewOf(self.shadow()[index if Ellipsis in index else (*index, Ellipsis)])

    def reshape(self, *shape, order="C"):
        if order != "C":
            return adopt(super().reshape(*shape, order=order))
        if self.layout is None:
            return self.copy().reshape(*shape)
        made = create(GPUArray)
        made.__dict__.update(reshaped(self.shape, shape, self.dtype))
        made.allocator, made.base = self.allocator, self
        made.gpudata = made.ptr = self.ptr
        return made

    def ravel(self):
        return self.reshape(-1)

    def squeeze(self):
        return self.viewOf(self.shadow().squeeze())

    def transpose(self, axes=None):
        return self.viewOf(self.shadow().transpose(axes))

    @property
    def T(self):  # noqa: N802
        return self.transpose()

    def view(self, dtype=None):
        return adopt(super().view(dtype))

    # Numbers and copies of Python's kinds

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __reduce__(self):
        return fromHost, (self.get(),)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()


class Shadow:
    """What numpy takes for an array at a device's address, to reckon with its strides."""

    def __init__(self, array):
        self.__array_interface__ = {
            "version": 3, "shape": array.shape, "strides": array.strides,
            "typestr": f"|V{array.itemsize}", "data": (array.ptr or array.itemsize, False)}


def empty(shape, dtype=np.float32):
    """An array of the pool; its values are whatever the memory held."""
    template, nbytes = plan(tuple(shape) if type(shape) is list else shape, dtype)
    device = Device.current()
    array = create(GPUArray)
    own = array.__dict__
    own.update(template)
    own["allocator"] = device.memoryPool.allocate
    if nbytes:
        try:
            own["gpudata"] = memory = device.memoryPool.allocate(nbytes)
        except OutOfMemoryError as error:
            raise OutOfMemoryError(
                f"an array of shape {array.shape} and {array.dtype}: {error}") from None
        own["ptr"] = int(memory)
    return array


@functools.lru_cache(1 << 12)
def plan(shape, dtype):
    """(the attributes of an array that do not depend on its memory, bytes of memory)"""
    sizes = shape if np.iterable(shape) else (shape,)
    shape, dtype = tuple(map(operator.index, sizes)), np.dtype(dtype).newbyteorder("=")
    if min(shape, default=0) < 0:
        raise ValueError(f"an array must have sizes of zero or more, got shape {shape}")
    template = attributes(shape, dtype, strides(shape, dtype.itemsize))
    return {**template, "layout": dtype.char}, template["nbytes"]


def attributes(shape, dtype, strides):
    """What PyCUDA's functions expect of an array, as its constructor would make it."""
    size = math.prod(shape)
    grid, block = pycuda.gpuarray.splay(size, Device.current().context.device)
    return {
        "shape": shape, "dtype": dtype, "strides": strides, "size": size, "mem_size": size,
        "nbytes": size * dtype.itemsize, "itemsize": dtype.itemsize, "gpudata": None,
        "base": None, "ptr": 0, "_grid": grid, "_block": block}


def strides(shape, itemsize):
    found, step = [], itemsize
    for size in reversed(shape):
        found.append(step)
        step *= size
    return tuple(reversed(found))


@functools.lru_cache(1 << 12)
def reshaped(shape, wanted, dtype):
    """The attributes of an array of `shape` in the shape `wanted`, which may hold a -1."""
    wanted = wanted[0] if len(wanted) == 1 else wanted
    pattern = np.broadcast_to(np.empty((), "V1"), math.prod(shape))
    return plan(pattern.reshape(wanted).shape, dtype)[0]


def view(base, shape, dtype, strides, ptr):
    """An array of memory that belongs to `base`."""
    array = create(GPUArray)
    array.__dict__.update(attributes(shape, dtype, strides))
    array.allocator = Device.current().memoryPool.allocate
    array.base, array.gpudata = base, ptr
    return settle(array)


def settle(array):
    array.ptr = 0 if array.gpudata is None else int(array.gpudata)
    isContiguous = array.shadow().flags.c_contiguous and array.dtype.isnative
    array.layout = array.dtype.char if isContiguous else None
    return array


def spread(array, shape):
    """The array repeated as numpy's rules of broadcasting say."""
    return array.viewOf(np.broadcast_to(array.shadow(), shape))


def adopt(array):
    """PyCUDA's arrays, and all that have __cuda_array_interface__, as a GPUArray; others as is."""
    if type(array) is GPUArray or isinstance(array, np.ndarray):
        return array
    if isinstance(array, pycuda.gpuarray.GPUArray):
        ptr = 0 if array.gpudata is None else int(array.gpudata)
        return view(array, array.shape, array.dtype, array.strides, ptr)
    interface = getattr(array, "__cuda_array_interface__", None)
    if interface is None:
        return array
    if interface.get("stream") not in (None, legacyStream):
        Device.current().synchronize()  # its values may still be on their way, in another stream
    shape, dtype, (ptr, _) = interface["shape"], dtypeOf(interface), interface["data"]
    if ptr % dtype.itemsize:
        raise ValueError(f"an array of {dtype} must begin at a multiple of {dtype.itemsize} bytes, "
                         f"got the address {ptr}")
    return view(
        array, shape, dtype, interface.get("strides") or strides(shape, dtype.itemsize), ptr)


def dtypeOf(interface):
    """The dtype of another library's array; bfloat16 has no word of its own there."""
    if interface["typestr"] == "<V2":
        with contextlib.suppress(ImportError):
            import ml_dtypes

            return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(interface["typestr"])


def fromHost(values):
    values = np.asarray(values)
    array = empty(values.shape, values.dtype)
    array[...] = values
    return array
