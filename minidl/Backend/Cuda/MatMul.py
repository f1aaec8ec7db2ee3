"""Matrix products on the GPU: cuBLASLt's, or Kernels/Cuda/MatMul.cu's where that is missing."""

import functools
import struct

from minidl.Backend.Cuda import CublasLt
from minidl.Backend.Cuda.CudaText import cudaFile, cudaText
from minidl.Backend.KernelFile import KernelFile

tile, threads = 64, 256  # TILE of the kernel file, and how many threads it is written for
pack = struct.Struct("5P5q4i2d").pack  # Product of the kernel file
activation = KernelFile("Activation")


class MatMul:
    """out = alpha op(a) op(b) + beta out + bias, for two-dimensional arrays of any strides."""

    def __init__(self, device):
        self.device = device
        self.kernels = {}  # the dtype's letter -> function

    def __call__(self, a, b, out, bias, relu, transA, transB, alpha, beta):
        """
        Args:
            a, b: matrices, taken transposed if transA, transB; any strides.
            out: its rows must be contiguous; beta = 0 overwrites it, NaN included.
            bias: one number a column of out, or None.
            relu: takes max(out, 0), with out's strides, or None; may be out.

        Shapes and dtypes are checked by the caller (Ops/MatMul.py).
        """
        (m, n), k = out.shape, a.shape[0 if transA else 1]
        if not m * n:
            return
        self.device.context.ensure()
        if k and self.library is not None and (relu is None or (out.layout and relu.layout)):
            if self.library(a, b, out, bias, transA, transB, alpha, beta):
                if relu is not None:  # here and not in the library, where NaN might not stay NaN
                    activation.reluForward(self.device.elements(out.size), out, relu, out.size)
                return

        across = -(-n // tile)
        packed = pack(
            a.ptr, b.ptr, 0 if bias is None else bias.ptr, out.ptr, 0 if relu is None else relu.ptr,
            *steps(a, transA), *steps(b, transB), steps(out, False)[0], m, n, k, across, alpha,
            beta)
        self.kernel(out.dtype.char)(packed, -(-m // tile) * across)

    @functools.cached_property
    def library(self):
        """cuBLASLt, loaded by the first product; None where it is missing."""
        library = CublasLt.load()
        return None if library is None else CublasLt.CublasLt(self.device, library)

    def kernel(self, real):
        if real not in self.kernels:
            module = self.device.load("MatMul", cudaText(cudaFile("MatMul"), real, threads))
            self.kernels[real] = self.device.launcher(
                module.get_function("matMul"), (threads, 1, 1))
        return self.kernels[real]


def steps(matrix, trans):
    """Elements from row to row and from column to column of op(matrix)."""
    down, right = (stride // matrix.itemsize for stride in matrix.strides)
    return (right, down) if trans else (down, right)
