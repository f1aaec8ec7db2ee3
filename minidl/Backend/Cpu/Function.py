"""A compiled kernel: checks what it is called with, packs it, and launches its grid on the pool."""

import ctypes
import functools
import math
import operator
import struct
import time

import numpy as np

from minidl.Backend import Device
from minidl.Backend.Cpu.HostArray import GPUArray
from minidl.Backend.Cpu.Parameter import Parameter, described
from minidl.Backend.KernelFile import KernelError

mostThreads = 1024  # of a block
blockLimits = 1024, 1024, 64
gridLimits = 2**31 - 1, 65535, 65535
mostShared = 232448  # bytes of dynamic shared memory, see Simt/DynamicShared.h

callHead = struct.Struct("=8I")  # simt::Call


class LaunchError(RuntimeError):
    """A kernel did not come to its end: an assertion failed, or threads waited for ever."""


class Function:
    """What `SourceModule.get_function` gives: called, prepared and timed as PyCUDA's Function."""

    def __init__(self, module, name, record, argumentNames):
        self.module, self.name = module, name
        self.parameters = (Parameter * record.numParameters)()
        record.describe(self.parameters)
        named = len(argumentNames) == len(self.parameters)
        self.argumentNames = argumentNames if named else ("",) * len(self.parameters)
        self.hasStructs = any(parameter.kind == "s" for parameter in self.parameters)
        self.run = Device.current().function(ctypes.c_void_p(record.run))
        self.pack = struct.Struct(packFormat(self.parameters, record.packedSize)).pack
        self.accepted = set()  # kinds of arguments that were found to fit

    def __call__(
            self, *args, block=None, grid=(1, 1), shared=0, stream=None, time_kernel=False,
            texrefs=()):
        """
        Runs the kernel, and returns when it is done.

        Args:
            args: arrays (or addresses) for pointers, numpy scalars of exactly the declared type.
            block: threads in a block along x, y, z.
            grid: blocks along x, y, z.
            shared: bytes of `extern __shared__` memory.
            stream, texrefs: PyCUDA's; nothing here.
            time_kernel: return the seconds it took.

        Raises:
            KernelError: an argument or a size does not fit.
            LaunchError: an assertion failed, or threads waited for each other for ever.
        """
        kinds = tuple([a.dtype.char if type(a) is GPUArray else type(a) for a in args])
        if kinds not in self.accepted:
            self.check(args, Parameter.accepts)
            self.accepted.add(kinds)
        return self.launch(grid, block, shared, args, time_kernel)

    def prepare(self, arg_types, texrefs=()):
        """Names the arguments' types once, by letters of Python's `struct` or numpy's dtypes."""
        if len(arg_types) != len(self.parameters):
            self.fail(f"takes {len(self.parameters)} arguments, prepared for {len(arg_types)}")
        for number, (parameter, kind) in enumerate(zip(self.parameters, arg_types, strict=True)):
            dtype = np.dtype(np.uintp if kind == "P" else kind)
            if parameter.kind != "s" and not parameter.isOf(dtype):
                self.fail(f"{self.argument(number)} is {parameter}, prepared as {kind}")
        return self

    def prepared_call(self, grid, block, *args, shared_size=0):
        self.launch(grid, block, shared_size, args)

    def prepared_async_call(self, grid, block, stream, *args, shared_size=0):
        self.launch(grid, block, shared_size, args)

    def prepared_timed_call(self, grid, block, *args, shared_size=0):
        """A function that gives the seconds which the call took."""
        seconds = self.launch(grid, block, shared_size, args, timed=True)
        return lambda: seconds

    def set_cache_config(self, config):
        """PyCUDA's choice between cache and shared memory; there is nothing to choose here."""

    def launch(self, grid, block, shared, args, timed=False):
        """Runs the kernel on arguments that were checked or prepared."""
        head, blocks = self.geometry(grid, block, shared)
        values = [a.ptr if type(a) is GPUArray else a for a in args]
        if self.hasStructs:
            values = [a.tobytes() if isinstance(a, (np.void, np.ndarray)) else a for a in values]
        try:
            packed = head + self.pack(*values)
        except struct.error as error:
            self.check(args, Parameter.acceptsNumber)
            self.fail(str(error))  # a number beyond its type

        start = time.perf_counter()
        self.run(packed, blocks)
        seconds = time.perf_counter() - start
        self.module.afterLaunch(self.name)
        return seconds if timed else None

    def geometry(self, grid, block, shared):
        try:
            return geometry(grid, block, shared)
        except (TypeError, ValueError) as error:
            self.fail(str(error))

    def check(self, args, accepts):
        """Raises KernelError if the arguments are not as many as declared, or one is refused."""
        if len(args) != len(self.parameters):
            self.fail(f"takes {len(self.parameters)} arguments, got {len(args)}")
        for number, (parameter, value) in enumerate(zip(self.parameters, args, strict=True)):
            if not accepts(parameter, value):
                self.fail(f"{self.argument(number)} must be {parameter}, got {described(value)}")

    def argument(self, number):
        name = self.argumentNames[number]
        return f"argument {number + 1}" + f" ({name})" * bool(name)

    def fail(self, message):
        raise KernelError(f"kernel {self.name}: {message}") from None


@functools.lru_cache(4096)
def geometry(grid, block, shared):
    """(simt::Call as bytes, number of blocks)."""
    if block is None:
        raise ValueError("a launch needs block=(x, y, z)")
    grid, block = sizes("grid", grid, gridLimits), sizes("block", block, blockLimits)
    if math.prod(block) > mostThreads:
        raise ValueError(
            f"a block has at most {mostThreads} threads, got {block}: {math.prod(block)}")
    if not 0 <= shared <= mostShared:
        raise ValueError(f"shared must be 0 .. {mostShared} bytes, got {shared}")
    return callHead.pack(*grid, *block, shared, 0), math.prod(grid)


def sizes(name, value, limits):
    if not isinstance(value, tuple) or not 1 <= len(value) <= 3:
        raise ValueError(f"{name} must be a tuple of one to three sizes, got {value!r}")
    value = tuple(map(operator.index, value)) + (1,) * (3 - len(value))
    if not all(1 <= size <= limit for size, limit in zip(value, limits, strict=True)):
        raise ValueError(f"{name} must have sizes of 1 .. {limits}, got {value}")
    return value


def packFormat(parameters, packedSize):
    form, end = "=", callHead.size
    for parameter in parameters:
        form += f"{parameter.offset - end}x{parameter.letter}"
        end = parameter.offset + parameter.size
    return f"{form}{packedSize - end}x"
