"""A compiled kernel: checks what it is called with, packs it, and launches its grid on the pool."""

import ctypes
import functools
import math
import numbers
import operator
import struct
import time

import numpy as np

from minidl.Backend import Device
from minidl.Backend.Cpu.HostArray import GPUArray
from minidl.Backend.KernelFile import KernelError

mostThreads = 1024  # of a block
blockLimits = 1024, 1024, 64
gridLimits = 2**31 - 1, 65535, 65535
mostShared = 232448  # bytes

packCall = struct.Struct("=8I").pack  # simt::Call
letters = {
    "f": {4: "f", 8: "d"},
    "i": {1: "b", 2: "h", 4: "i", 8: "q"},
    "u": {1: "B", 2: "H", 4: "I", 8: "Q"},
    "c": {1: "b"},
    "b": {1: "?"},
    "P": {8: "Q"},
}
words = {"f": "floating point", "i": "signed", "u": "unsigned", "c": "char", "b": "bool"}


class Parameter(ctypes.Structure):
    """A kernel's parameter as Simt/Launch.h describes it."""

    _fields_ = [
        ("kind", ctypes.c_char), ("elementKind", ctypes.c_char), ("size", ctypes.c_int),
        ("elementSize", ctypes.c_int), ("offset", ctypes.c_int),
    ]


class Function:
    """What `SourceModule.get_function` gives: called, prepared and timed as PyCUDA's Function."""

    def __init__(self, module, name, record, argumentNames):
        self.module, self.name = module, name
        self.parameters = (Parameter * record.numParameters)()
        record.describe(self.parameters)
        named = len(argumentNames) == len(self.parameters)
        self.argumentNames = argumentNames if named else ("",) * len(self.parameters)
        self.run = Device.current().function(ctypes.c_void_p(record.run))
        self.pack = struct.Struct(packFormat(self.parameters, record.packedSize)).pack
        self.hasStructs = any(parameter.kind == b"s" for parameter in self.parameters)
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
            KernelError: an argument or a size does not fit; threads wait for each other for ever.
        """
        call, blocks = self.geometry(grid, block, shared)
        self.checkOnce(args)
        return self.launch(call, blocks, args, time_kernel)

    def prepare(self, arg_types, texrefs=()):
        """Names the arguments' types once, by letters of Python's `struct` or numpy's dtypes."""
        if len(arg_types) != len(self.parameters):
            self.fail(f"takes {len(self.parameters)} arguments, prepared for {len(arg_types)}")
        for number, kind in enumerate(arg_types):
            dtype = np.dtype(np.uintp if kind == "P" else kind)
            parameter = self.parameters[number]
            if parameter.kind != b"s" and not fits(dtype, parameter, pointers=True):
                self.fail(f"{self.argument(number)} is {declared(parameter)}, prepared as {kind}")
        return self

    def prepared_call(self, grid, block, *args, shared_size=0):
        self.launch(*self.geometry(grid, block, shared_size), args)

    def prepared_async_call(self, grid, block, stream, *args, shared_size=0):
        self.launch(*self.geometry(grid, block, shared_size), args)

    def prepared_timed_call(self, grid, block, *args, shared_size=0):
        """A function that gives the seconds which the call took."""
        seconds = self.launch(*self.geometry(grid, block, shared_size), args, timed=True)
        return lambda: seconds

    def set_cache_config(self, config):
        """PyCUDA's choice between cache and shared memory; there is nothing to choose here."""

    def launch(self, call, blocks, args, timed=False):
        values = [a.ptr if type(a) is GPUArray else a for a in args]
        if self.hasStructs:
            values = [a.tobytes() if isinstance(a, (np.void, np.ndarray)) else a for a in values]
        try:
            packed = call + self.pack(*values)
        except struct.error:
            self.check(args, prepared=True)
            raise
        start = time.perf_counter()
        self.run(packed, blocks)
        seconds = time.perf_counter() - start
        if self.module.failure is not None:
            self.checkFailure()
        if self.module.text.prints:
            ctypes.pythonapi.fflush(None)
        return seconds if timed else None

    def checkFailure(self):
        failure = self.module.failure.value
        if failure:
            self.module.failure.value = b""
            self.fail(failure.decode(errors="replace"))

    def geometry(self, grid, block, shared):
        try:
            return geometry(grid, block, shared)
        except (TypeError, ValueError) as error:
            self.fail(str(error))

    def checkOnce(self, args, prepared=False):
        """Checks arguments of kinds that were not seen before."""
        kinds = tuple([a.dtype.char if type(a) is GPUArray else type(a) for a in args])
        if kinds not in self.accepted:
            self.check(args, prepared)
            self.accepted.add(kinds)

    def check(self, args, prepared=False):
        """
        Raises KernelError if the arguments do not fit the declaration; those of a prepared call
        may also be Python's numbers.
        """
        if len(args) != len(self.parameters):
            self.fail(f"takes {len(self.parameters)} arguments, got {len(args)}")
        for number, (parameter, value) in enumerate(zip(self.parameters, args, strict=True)):
            if not accepts(parameter, value, prepared):
                remedy = "; gpuarray.to_gpu puts it on the device" * (
                    parameter.kind == b"P" and type(value) is np.ndarray)
                self.fail(
                    f"{self.argument(number)} must be {declared(parameter)}, got "
                    f"{described(value)}{remedy}")

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
    return packCall(*grid, *block, shared, 0), math.prod(grid)


def sizes(name, value, limits):
    if not isinstance(value, tuple) or not 1 <= len(value) <= 3:
        raise ValueError(f"{name} must be a tuple of one to three sizes, got {value!r}")
    value = tuple(map(operator.index, value)) + (1,) * (3 - len(value))
    if not all(1 <= size <= limit for size, limit in zip(value, limits, strict=True)):
        raise ValueError(f"{name} must have sizes of 1 .. {limits}, got {value}")
    return value


def packFormat(parameters, packedSize):
    form, end = "=", 32  # after simt::Call
    for parameter in parameters:
        letter = letters.get(parameter.kind.decode(), {}).get(parameter.size)
        form += f"{parameter.offset - end}x{letter or f'{parameter.size}s'}"
        end = parameter.offset + parameter.size
    return f"{form}{packedSize - end}x"


def accepts(parameter, value, prepared):
    """Whether the value can be passed for the parameter."""
    if parameter.kind == b"s":
        return isinstance(value, (np.void, np.ndarray)) and value.nbytes == parameter.size
    if isinstance(value, GPUArray):
        return parameter.kind == b"P" and fits(value.dtype, parameter, element=True)
    if isinstance(value, np.generic) and not prepared:
        return fits(value.dtype, parameter, pointers=True)
    if parameter.kind == b"f":
        return prepared and isinstance(value, numbers.Real)
    return (prepared or parameter.kind == b"P") and isinstance(value, numbers.Integral)


def fits(dtype, parameter, element=False, pointers=False):
    kind = parameter.elementKind if element else parameter.kind
    size = parameter.elementSize if element else parameter.size
    kind = kind.decode()
    if element and (kind == "s" or dtype.kind not in "biuf"):
        return True  # a pointer to void or to structs takes any array, as does any other an odd one
    if pointers and kind == "P":
        return dtype.kind in "iu" and dtype.itemsize == size
    return dtype.itemsize == size and dtype.kind in {"c": "iu"}.get(kind, kind)


def declared(parameter):
    kind, size = parameter.kind.decode(), parameter.size
    if kind == "s":
        return f"a struct of {size} bytes"
    if kind != "P":
        return f"a numpy scalar of {number(kind, size)}"
    element = parameter.elementKind.decode()
    of = "" if element == "s" else f" of {number(element, parameter.elementSize)}"
    return f"an array{of} on the device"


def number(kind, size):
    return "pointers" if kind == "P" else "bool" if kind == "b" else f"{ {'f': 'float', 'u': 'uint'}.get(kind, 'int')}{8 * size}"


def described(value):
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}" + " of the host" * (not isinstance(value, GPUArray))
    if isinstance(value, np.generic):
        return f"numpy.{value.dtype}"
    return f"{value!r} ({type(value).__name__})"
