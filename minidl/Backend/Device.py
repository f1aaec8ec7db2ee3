"""
The device that this process computes on: chosen once, when it is first needed.

A device offers `name` and `describe()`; arrays: `GPUArray`, `empty(shape, dtype)`, `memoryPool`,
`toDevice(values)`, `reduce(function, array)`, `dtypes`; work: `compile(kernelFile, real)`,
`elements(size)`, `columns(number)`, `matMul(...)`, `synchronize()`; and for the user's own kernels
`SourceModule`, `ElementwiseKernel`, `ReductionKernel`.
"""

from minidl import Config

chosen = None


def current():
    global chosen
    if chosen is None:
        chosen = choose(Config.chosenBackend())
    return chosen


def choose(word):
    if word == "cuda":
        raise Config.ConfigError(
            "Config.backend is cuda, but this version of minidl has no CUDA backend yet: "
            "set it (or MINIDL_BACKEND) to cpu or auto")

    from minidl.Backend.Cpu.CpuDevice import CpuDevice

    return CpuDevice()


def elements(size):
    """How many blocks share a loop over `size` elements."""
    return current().elements(size)


def columns(number):
    """How many blocks share the columns of a matrix (BLOCK_COLUMNS of Kernels/Host.h, Cuda.h)."""
    return current().columns(number)
