"""Matrix products by NVIDIA's cuBLASLt, through nvmath-python."""

import functools
import threading

import numpy as np

from minidl import Config
from minidl.Backend.Cuda.Context import CudaError
from minidl.Backend.Matrix import operand, rowStride

workspaceSize = 32 << 20  # bytes: what NVIDIA advises for the larger GPUs
aligned = 16  # bytes: the fast algorithms read so many at once
plain, withBias = 1, 4  # cublasLtEpilogue_t
types = {"f": 0, "d": 1, "e": 2, "E": 14}  # cudaDataType
itemSizes = {"f": 4, "d": 8, "e": 2, "E": 2}  # bytes
precise = {"f": 68, "d": 70, "e": 68, "E": 68}  # cublasComputeType_t, that of the sums
tensorFloat32 = 77


def load():
    """The library's Python module, or None where it cannot be had."""
    try:
        from nvmath.bindings import cublasLt

        cublasLt.get_version()
        return cublasLt
    except (ImportError, RuntimeError):  # no nvmath, or no library that it finds
        return None


class CublasLt:
    """
    out = alpha op(a) op(b) + beta out + bias

    The library counts its matrices by columns: a row-major matrix is its own transpose there, and
    out^T = op(b)^T op(a)^T is what it is asked for. A bias runs along the columns of out, which
    are its rows. The best algorithm for a product is asked for once.
    """

    def __init__(self, device, library):
        self.device, self.library = device, library
        self.lock = threading.Lock()
        self.handle = library.create()
        self.workspace = device.memoryPool.allocate(workspaceSize)
        self.plan = functools.lru_cache(1 << 12)(functools.partial(Plan, library, self.handle))
        self.scalar = functools.lru_cache(1 << 8)(scalar)

    def __call__(self, a, b, out, bias, transA, transB, alpha, beta):
        """Returns whether the library could do it."""
        real = out.dtype.char
        (a, transA), (b, transB) = operand(a, transA), operand(b, transB)
        strides = rowStride(a), rowStride(b), rowStride(out)
        addresses = a.ptr | b.ptr | out.ptr | (bias.ptr if bias is not None else 0)
        addresses |= (strides[0] | strides[1] | strides[2]) * itemSizes[real]
        plan = self.plan(
            real, a.shape, b.shape, strides, transA, transB, plain if bias is None else withBias,
            aligned if addresses % aligned == 0 else itemSizes[real], Config.tensorFloat32)
        if not plan.exists:
            return False

        alpha, beta = self.scalar(real, alpha), self.scalar(real, beta)
        with self.lock:  # a plan has one place for the bias, and all have one workspace
            if bias is not None:
                plan.describe("BIAS_POINTER", np.array([bias.ptr], np.uintp))
            try:
                self.library.matmul(
                    self.handle, plan.operation, alpha.ctypes.data, b.ptr, plan.b, a.ptr, plan.a,
                    beta.ctypes.data, out.ptr, plan.out, out.ptr, plan.out, plan.algorithm.ptr,
                    int(self.workspace), workspaceSize, self.device.stream.handle)
            except self.library.cuBLASLtError as error:
                raise CudaError(
                    f"cuBLASLt cannot multiply {a.shape} and {b.shape}: {error}") from None
        return True


class Plan:
    """
    How the library does one kind of product; it lives as long as the process.

    alignment: of all matrices and their rows, in bytes.
    fast: whether float32 may be rounded to TensorFloat-32.
    """

    def __init__(self, library, handle, real, shapeA, shapeB, strides, transA, transB, epilogue,
                 alignment, fast):
        self.library = library
        compute = tensorFloat32 if fast and real == "f" else precise[real]
        self.operation = library.matmul_desc_create(compute, types["d" if real == "d" else "f"])
        # The factors change places.
        self.describe("TRANSA", np.array([transB], np.int32))
        self.describe("TRANSB", np.array([transA], np.int32))
        self.describe("EPILOGUE", np.array([epilogue], np.uint32))

        shapeOut = shapeA[1 if transA else 0], shapeB[0 if transB else 1]
        self.a, self.b, self.out = (
            library.matrix_layout_create(types[real], columns, rows, stride)
            for (rows, columns), stride in zip((shapeA, shapeB, shapeOut), strides, strict=True))

        preference = library.matmul_preference_create()
        prefer(library, preference, "MAX_WORKSPACE_BYTES", np.array([workspaceSize], np.uint64))
        for matrix in "ABCD":
            least = np.array([alignment], np.uint32)
            prefer(library, preference, f"MIN_ALIGNMENT_{matrix}_BYTES", least)
        self.algorithm = library.MatmulHeuristicResult(1)
        self.exists = self.findAlgorithm(handle, preference)
        library.matmul_preference_destroy(preference)

    def describe(self, name, value):
        self.library.matmul_desc_set_attribute(
            self.operation, int(self.library.MatmulDescAttribute[name]), value.ctypes.data,
            value.nbytes)

    def findAlgorithm(self, handle, preference):
        found = np.zeros(1, np.int32)
        try:
            self.library.matmul_algo_get_heuristic(
                handle, self.operation, self.b, self.a, self.out, self.out, preference, 1,
                self.algorithm.ptr, found.ctypes.data)
        except self.library.cuBLASLtError:  # it says so where it has no algorithm at all
            return False
        return found[0] > 0


def prefer(library, preference, name, value):
    library.matmul_preference_set_attribute(
        preference, int(library.MatmulPreferenceAttribute[name]), value.ctypes.data, value.nbytes)


def scalar(real, value):
    return np.array([value], np.float64 if real == "d" else np.float32)
