"""
The device that this process computes on: chosen once, when it is first needed.

A device offers `name` and `describe()`; arrays: `GPUArray`, `empty(shape, dtype)`, `memoryPool`,
`toDevice(values)`, `adopt(array)`, `reduce(function, array)`, `dtypes`, `realNames`; work:
`compile(kernelFile, real)`, `elements(size)`, `columns(number)`, `matMul(...)`, `conv`,
`synchronize()`;
and for the user's own kernels `SourceModule`, `ElementwiseKernel`, `ReductionKernel`.
"""

import importlib.util
import threading

from minidl import Config

chosen = None
lock = threading.RLock()


class OutOfMemoryError(MemoryError):
    """The device has no room for an array, not even after giving back all held memory."""


def current():
    global chosen
    if chosen is None:
        with lock:
            if chosen is None:  # another thread may have chosen while this one waited
                chosen = choose(Config.chosenBackend())
    return chosen


def choose(word):
    """The device for "auto", "cuda" or "cpu"; auto is CUDA where there is any, else the CPU."""
    reason = "it is not asked for" if word == "cpu" else whyNoCuda()
    if reason is None:
        from minidl.Backend.Cuda.Context import CudaError
        from minidl.Backend.Cuda.CudaDevice import CudaDevice

        try:
            return CudaDevice(Config.deviceIdx)
        except CudaError as error:
            reason = str(error)
    if word == "cuda":
        raise Config.ConfigError(f"Config.backend is cuda, but {reason}; or set it (or "
                                 f"MINIDL_BACKEND) to cpu or auto")

    from minidl.Backend.Cpu.CpuDevice import CpuDevice

    return CpuDevice()


def whyNoCuda():
    """Why there is no CUDA to be had, and the remedy; None if there is."""
    if importlib.util.find_spec("pycuda") is None:
        return "PyCUDA is not installed: python -m minidl cuda-setup installs it"

    from minidl.Backend.Cuda.Context import whyNoDevice

    return whyNoDevice()


def elements(size):
    """How many blocks share a loop over `size` elements."""
    return current().elements(size)


def columns(number):
    """How many blocks share the columns of a matrix (BLOCK_COLUMNS of Kernels/Host.h, Cuda.h)."""
    return current().columns(number)
