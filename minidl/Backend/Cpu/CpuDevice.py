"""The CPU as a device: numpy memory, kernels from the host compiler, one pool of threads."""

import ctypes
import functools
from pathlib import Path

import numpy as np

from minidl import Config
from minidl.Backend import KernelFile
from minidl.Backend.Cpu import Conv, HostArray, HostCompiler, MatMul
from minidl.Backend.Cpu.ElementwiseKernel import ElementwiseKernel
from minidl.Backend.Cpu.HostText import blockColumns, hasTwin, hostText, realNames
from minidl.Backend.Cpu.ReductionKernel import ReductionKernel
from minidl.Backend.Cpu.SourceModule import SourceModule

folder = Path(__file__).parent

grain = 1 << 14  # elements that are worth a block of their own
mostBlocks = 1 << 8


class CpuDevice:
    name = "cpu"
    GPUArray = HostArray.GPUArray
    memoryPool = HostArray.memoryPool
    empty = staticmethod(HostArray.empty)
    toDevice = staticmethod(HostArray.fromHost)
    SourceModule = SourceModule
    ElementwiseKernel = ElementwiseKernel
    ReductionKernel = ReductionKernel
    realNames = realNames
    dtypes = [(np.float32, 1e-5), (np.float64, 1e-12)]  # and how exact a result to expect

    def __init__(self):
        self.runtime = HostCompiler.load("Runtime", (folder / "Runtime.cpp").read_text())
        self.launch = self.runtime.minidlLaunch
        self.launch.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_long
        self.launch.restype = None
        self.setThreads(Config.chosenThreads())
        self.matMul = MatMul.MatMul(self)
        self.conv = Conv.Conv(self)

    def setThreads(self, number):
        self.threads = number
        self.runtime.minidlSetThreads(number)

    def adopt(self, array):
        """An array that somebody else has made, as kernels take it; here there are none."""
        return array

    def compile(self, file, real):
        """{kernel's name: function of (packed arguments, blocks)} of a kernel file."""
        if not HostCompiler.isCached(file.stem, *hostText(file, real)):
            compileAhead(real)
        library = load(file, real)
        if not hasTwin(file):
            return {name: self.function(library[f"{name}Blocks"]) for name in file.declarations}
        library.useLaunch(ctypes.cast(self.launch, ctypes.c_void_p))
        return {name: whole(library[f"{name}Whole"]) for name in file.declarations}

    def function(self, entry):
        """What runs a compiled entry on the pool, as a function of (packed arguments, blocks)."""
        return functools.partial(self.launch, ctypes.cast(entry, ctypes.c_void_p).value)

    def reduce(self, function, array):
        """function(array), for one of numpy's that gives a single number, as an array."""
        return self.toDevice(function(np.asarray(array)))

    def elements(self, size):
        return min(max(size // grain, 1), mostBlocks)

    def columns(self, number):
        return -(-number // blockColumns)

    def synchronize(self):
        """A launch returns when its grid is done: there is nothing to wait for."""

    def describe(self):
        return f"CPU with {self.threads} thread{'s' * (self.threads > 1)}"


def whole(entry):
    """A compiled entry that makes its own grids, as a function of (packed arguments, blocks)."""
    entry.argtypes, entry.restype = [ctypes.c_char_p, ctypes.c_long], None
    return entry


@functools.cache
def compileAhead(real):
    KernelFile.inBackground(lambda file: load(file, real))


def load(file, real):
    return HostCompiler.load(file.stem, *hostText(file, real))
