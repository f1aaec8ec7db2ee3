"""Matrix products on the CPU: cuts the result into tiles and launches MatMul.cpp over them."""

import ctypes
import functools
import os
import struct
from pathlib import Path

from minidl.Backend.Cpu import HostCompiler

tileWork = 25_000_000  # operations that are worth a tile of their own, in a product that is cut
leastWork = 300_000  # below this one thread is done before another has begun
stripe = {"f": 256, "d": 128}  # columns that MatMul.cpp's stripe() takes at once
fewRows = 2

packArrays, packSizes = struct.Struct("5P2d").pack, struct.Struct("10l").pack


class MatMul:
    """out = alpha op(a) op(b) + beta out + bias, for two-dimensional arrays of any strides."""

    def __init__(self, device):
        library = HostCompiler.load("MatMul", Path(__file__).with_name("MatMul.cpp").read_text())
        blas = loadBlas()
        library.minidlSetBlas(*(
            ctypes.cast(function, ctypes.c_void_p)
            for function in (blas.scipy_cblas_sgemm, blas.scipy_cblas_dgemm)))
        self.tiles = {real: device.function(library[f"tiles_{real}"]) for real in "fd"}
        self.stripes = {real: device.function(library[f"stripes_{real}"]) for real in "fd"}
        self.plan = functools.lru_cache(1 << 12)(self.plan)

    def __call__(self, a, b, out, bias, relu, transA, transB, alpha, beta):
        """
        Args:
            a, b: matrices, taken transposed if transA, transB; any strides.
            out: its rows must be contiguous; beta = 0 overwrites it, NaN included.
            bias: one number a column of out, or None.
            relu: takes max(out, 0), with out's strides, or None; may be out.

        Shapes and dtypes are checked by the caller (Ops/MatMul.py).
        """
        m, n = out.shape
        k = a.shape[0] if transA else a.shape[1]
        a, strideA, transA = operand(a, transA)
        b, strideB, transB = operand(b, transB)
        strideOut = n if out.layout else out.strides[0] // out.itemsize

        launch, blocks, sizes = self.plan(
            out.dtype.char, m, n, k, strideA, strideB, strideOut, transA, transB)
        arrays = packArrays(
            a.ptr, b.ptr, bias.ptr if bias is not None else 0,
            out.ptr, relu.ptr if relu is not None else 0, alpha, beta)
        if blocks:
            launch(arrays + sizes, blocks)

    def plan(self, real, m, n, k, strideA, strideB, strideOut, transA, transB):
        """(what to launch, over how many blocks, the packed sizes) of a product."""
        few = m <= fewRows and n >= stripe[real] // 4 and not transA and not transB
        rows, columns = (1, stripe[real]) if few else tileSize(m, n, k)
        launch = (self.stripes if few else self.tiles)[real]
        blocks = -(-m // rows) * -(-n // columns)
        return launch, blocks, packSizes(
            m, n, k, strideA, strideB, strideOut, transA, transB, rows, columns)


def operand(matrix, trans):
    """(matrix, elements from row to row, whether it is to be transposed) as BLAS takes it."""
    if matrix.layout:
        return matrix, matrix.shape[1] or 1, trans

    rows, columns = matrix.shape
    down, right = (stride // matrix.itemsize for stride in matrix.strides)
    if right == 1 and down >= columns:
        return matrix, down, trans
    if down == 1 and right >= rows:
        return matrix, right, not trans
    return matrix.copy(), columns, trans


def tileSize(m, n, k):
    """(rows, columns) of the tiles: strips of the longer side, whatever the number of threads."""
    work = 2 * m * n * k
    parts = 1 if work < leastWork else min(max(2, round(work / tileWork)), 64)
    if m >= n:
        return max(roundUp(-(-m // parts)), 1), max(n, 1)
    return max(m, 1), roundUp(-(-n // parts))


def roundUp(size):
    return -(-size // 16) * 16


def loadBlas():
    """OpenBLAS without threads of its own, beside the copy that numpy brings."""
    import scipy_openblas32

    name = "OPENBLAS_NUM_THREADS"  # read once, when the library is loaded
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        folder = Path(scipy_openblas32.get_lib_dir())
        blas = ctypes.CDLL(str(folder / scipy_openblas32.get_library(fullname=True)))
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
    blas.scipy_openblas_set_num_threads(1)
    return blas
