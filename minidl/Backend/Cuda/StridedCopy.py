"""Copies between arrays of any strides: launches for Kernels/Cuda/StridedCopy.cu."""

import functools
import struct

import numpy as np
import pycuda.driver as drv

from minidl.Backend.Cuda.CudaText import block, cudaFile, cudaText

mostAxes = 8  # AXES of the kernel file
items = {1: "B", 2: "H", 4: "I", 8: "Q"}
arguments = struct.Struct(f"PP2i{mostAxes}i{mostAxes}q{mostAxes}q")


class StridedCopy:
    def __init__(self, device):
        self.device = device
        self.kernels = {}  # size of an item -> function

    def copy(self, out, source):
        """out[...] = source, of one shape; they may overlap, and differ in dtype."""
        device = self.device
        if source.dtype != out.dtype:
            source = device.toDevice(source.get().astype(out.dtype))
        if overlap(out, source):
            source = source.copy()
        if out.layout is not None and source.layout is not None:
            device.guarded(
                drv.memcpy_dtod_async, out.ptr, source.ptr, out.nbytes, device.stream)
            return

        if out.size >= 2 ** 31:
            raise ValueError(f"a copy between strides takes fewer than 2**31 numbers, got shape "
                             f"{out.shape}")
        count, sizes, source_, out_ = axes(out.shape, source.strides, out.strides)
        packed = arguments.pack(
            source.ptr, out.ptr, out.size, count, *sizes, *source_, *out_)
        self.kernel(out.itemsize)(packed, device.elements(out.size))

    def kernel(self, itemsize):
        if itemsize not in self.kernels:
            if itemsize not in items:
                raise TypeError(f"items of {itemsize} bytes can be copied from and to contiguous "
                                f"arrays only, not between strides")
            text = cudaText(cudaFile("StridedCopy"), items[itemsize], block)
            module = self.device.load("StridedCopy", text)
            self.kernels[itemsize] = self.device.launcher(
                module.get_function("stridedCopy"), (block, 1, 1))
        return self.kernels[itemsize]


def overlap(a, b):
    """Whether the two arrays, which are not one and the same, share a byte, as far as ends tell."""
    same = a.ptr == b.ptr and a.strides == b.strides
    return not same and np.may_share_memory(a.shadow(), b.shadow())


@functools.lru_cache(1 << 10)
def axes(shape, *strides):
    """(number of axes, their sizes, each array's strides), with as few axes as can be."""
    kept = [[size, *steps] for size, *steps in zip(shape, *strides, strict=True) if size != 1]
    merged = kept[:1]
    for size, *steps in kept[1:]:
        last = merged[-1]
        if all(before == size * step for before, step in zip(last[1:], steps, strict=True)):
            merged[-1] = [last[0] * size, *steps]
        else:
            merged.append([size, *steps])
    if len(merged) > mostAxes:
        raise ValueError(f"a copy between strides takes at most {mostAxes} axes, got {len(merged)}")
    padded = merged + [[1] + [0] * len(strides)] * (mostAxes - len(merged))
    return len(merged), *zip(*padded, strict=True)
