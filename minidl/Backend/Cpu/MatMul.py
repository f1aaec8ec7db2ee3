"""Matrix products on the CPU: cuts the result into tiles and launches MatMul.cpp over them."""

import ctypes
import functools
import os
import struct
from pathlib import Path

from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Matrix import operand

leastWork = 300_000  # operations; below this one thread is done before another has begun
stripWork = 16_000_000  # operations that are worth a strip of their own
stripe = {"f": 256, "d": 128}  # columns that MatMul.cpp's stripe() takes at once
fewRows = 2

# On these processors OpenBLAS multiplies small matrices without copying them first, which gains
# some 15 % as long as a tile is small enough for that and the factors stay in cache.
copyless = {b"SkylakeX", b"Cooperlake", b"SapphireRapids"}
copylessTile = 1_000_000  # rows * columns * inner
copylessInner = 800
copylessRows = 256  # of a product with more inner: with more of them strips do as well
copylessWork = 2_500_000_000  # operations of the whole product

packArrays, packSizes = struct.Struct("5P2d").pack, struct.Struct("10l").pack


class MatMul:
    """out = alpha op(a) op(b) + beta out + bias, for two-dimensional arrays of any strides."""

    def __init__(self, device):
        library = loadWithBlas("MatMul", ["Blas.h", "MatMul.cpp"])
        self.tiles = {real: device.function(library[f"tiles_{real}"]) for real in "fd"}
        self.stripes = {real: device.function(library[f"stripes_{real}"]) for real in "fd"}
        self.copyless = loadBlas().scipy_openblas_get_corename() in copyless
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
        strides = None
        if not (a.layout and b.layout and out.layout):
            (a, transA), (b, transB) = operand(a, transA), operand(b, transB)
            strides = a.strides[0], b.strides[0], out.strides[0]
        launch, blocks, sizes = self.plan(a.dtype, a.shape, b.shape, strides, transA, transB)
        arrays = packArrays(
            a.ptr, b.ptr, bias.ptr if bias is not None else 0,
            out.ptr, relu.ptr if relu is not None else 0, alpha, beta)
        if blocks:
            launch(arrays + sizes, blocks)

    def plan(self, dtype, shapeA, shapeB, strides, transA, transB):
        """
        (what to launch, over how many blocks, the packed sizes) of a product.

        strides: bytes from row to row of a, b and out; None if all three are contiguous.
        """
        m, k = reversed(shapeA) if transA else shapeA
        n, real = shapeB[0] if transB else shapeB[1], dtype.char
        # Of a single row numpy leaves the stride open, and BLAS wants it to be long enough.
        rowLengths = shapeA[1], shapeB[1], n
        rowStrides = [
            max(stride // dtype.itemsize, length, 1)
            for stride, length in zip(strides or (0, 0, 0), rowLengths, strict=True)]

        few = m <= fewRows and n >= stripe[real] // 4 and not transA and not transB
        rows, columns = (1, stripe[real]) if few else tileSize(
            m, n, k, self.copyless, transA or transB)
        launch = (self.stripes if few else self.tiles)[real]
        blocks = -(-m // rows) * -(-n // columns)
        return launch, blocks, packSizes(
            m, n, k, *rowStrides, transA, transB, rows, columns)


def tileSize(m, n, k, copyless, turned):
    """(rows, columns) of the tiles of an m x n product, whatever the number of threads."""
    work = 2 * m * n * k
    if work < leastWork:
        return max(m, 1), max(n, 1)
    if copyless and k <= copylessInner and work <= copylessWork:
        columns = min(max(powerOfTwo(copylessTile // (32 * k)), 32), 128)
        return (32, columns) if columns > 32 or turned else (16, 64)
    if copyless and 8 * 64 * k <= copylessTile and m <= copylessRows and n >= 64:
        return 8, 64

    # Strips of the longer side, not too narrow: each copies the whole of one factor.
    longer = max(m, n)
    parts = min(max(powerOfTwo(work // stripWork), 2), max(powerOfTwo(longer // 256), 4), 64)
    return (roundUp(-(-m // parts)), n) if m >= n else (m, roundUp(-(-n // parts)))


def powerOfTwo(number):
    """The largest power of two that is not above `number`, or 1."""
    return 1 << max(int(number).bit_length() - 1, 0)


def roundUp(size):
    return -(-size // 16) * 16


def loadWithBlas(stem, texts):
    """The library compiled of these files of this folder, of which Blas.h is one."""
    library = HostCompiler.load(stem, "\n".join(
        Path(__file__).with_name(name).read_text() for name in texts))
    blas = loadBlas()
    library.minidlSetBlas(*(
        ctypes.cast(function, ctypes.c_void_p)
        for function in (blas.scipy_cblas_sgemm, blas.scipy_cblas_dgemm)))
    return library


@functools.cache
def loadBlas():
    """OpenBLAS without threads of its own, beside the copy that numpy brings."""
    name = "OPENBLAS_NUM_THREADS"  # read once, when the library is loaded
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        import scipy_openblas32  # loads it too

        folder = Path(scipy_openblas32.get_lib_dir())
        blas = ctypes.CDLL(str(folder / scipy_openblas32.get_library(fullname=True)))
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
    blas.scipy_openblas_set_num_threads(1)
    blas.scipy_openblas_get_corename.restype = ctypes.c_char_p
    return blas
