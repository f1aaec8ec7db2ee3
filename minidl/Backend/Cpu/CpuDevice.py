"""The CPU as a device: numpy memory, kernels from the host compiler, one pool of threads."""

import ctypes
import functools
from pathlib import Path

import numpy as np

from minidl import Config
from minidl.Backend import KernelFile
from minidl.Backend.Cpu import Conv, HostArray, HostCompiler, MatMul
from minidl.Backend.Cpu.ElementwiseKernel import ElementwiseKernel
from minidl.Backend.Cpu.ReductionKernel import ReductionKernel
from minidl.Backend.Cpu.SourceModule import SourceModule

folder = Path(__file__).parent

# Sums may be taken in any order, so that they are taken in vectors; NaN and Inf keep their meaning.
sumFlags = ["-fassociative-math", "-fno-signed-zeros", "-freciprocal-math"]
grain = 1 << 14  # elements that are worth a block of their own
mostBlocks = 1 << 8
realNames = {"f": "float", "d": "double"}  # what `real` may be, by numpy's letter
blockColumns = 64  # columns of a matrix that a block takes: four vector registers of float32


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
        text = hostText(file, real)
        if not HostCompiler.isCached(file.stem, text, sumFlags):
            compileAhead(real)
        library = HostCompiler.load(file.stem, text, sumFlags)
        return {name: self.function(library[f"{name}Blocks"]) for name in file.declarations}

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


def hostText(file, real):
    """C++ that holds a kernel file's kernels for the host compiler."""
    number = realNames[real]
    return "\n".join([
        f"typedef {number} real;\ntypedef {number} accum;\n#define LANES {blockColumns}",
        (KernelFile.folder / "Host.h").read_text(),
        f'struct Kernels : Block\n{{\n#line 1 "{file.stem}.cu"',
        file.text,
        "};",
        *(blocksLoop(name, arguments) for name, arguments in file.declarations.items()),
    ])


def blocksLoop(name, arguments):
    """The function that runs some blocks of a grid, on arguments as struct.Struct packs them."""
    fields = " ".join(f"{a.type} {'*' * a.isArray}{a.name};" for a in arguments)
    passed = ", ".join(f"a.{a.name}" for a in arguments)
    return f"""
extern "C" void {name}Blocks(const char *packed, long first, long last, long blocks)
{{
    struct Arguments {{ {fields} }};
    const Arguments a = *(const Arguments *)packed;
    Kernels kernels;
    kernels.gridDim.x = (int)blocks;
    for (long block = first; block < last; ++block)
    {{
        kernels.blockIdx.x = (int)block;
        kernels.{name}({passed});
    }}
}}"""


@functools.cache
def compileAhead(real):
    KernelFile.inBackground(
        lambda file: HostCompiler.load(file.stem, hostText(file, real), sumFlags))
