"""The GPU as a device: PyCUDA's arrays and context, kernels from nvcc, one stream for all work."""

import contextlib
import functools
import os
import shutil

import numpy as np
import pycuda.driver as drv

from minidl.Backend import KernelFile
from minidl.Backend.Cuda import CudaArray, CudaCompiler, CudaText, Toolkit
from minidl.Backend.Cuda.BatchNorm import BatchNorm
from minidl.Backend.Cuda.Context import Context
from minidl.Backend.Cuda.ElementwiseKernel import ElementwiseKernel
from minidl.Backend.Cuda.MatMul import MatMul
from minidl.Backend.Cuda.MemoryPool import MemoryPool
from minidl.Backend.Cuda.ReductionKernel import ReductionKernel
from minidl.Backend.Cuda.SourceModule import SourceModule, moduleOf
from minidl.Backend.Cuda.StridedCopy import StridedCopy
from minidl.Backend.Cuda.Transfers import Transfers

block = CudaText.block
blockColumns = 32  # columns of a matrix that a block takes: BLOCK_COLUMNS of Kernels/Cuda.h
twins = {"BatchNorm": BatchNorm}  # launchers of kernels for the GPU alone, in a plain file's place
blocksPerProcessor = 8  # that a loop over elements is shared by: as many as run at once


class CudaDevice:
    name = "cuda"
    GPUArray = CudaArray.GPUArray
    empty = staticmethod(CudaArray.empty)
    toDevice = staticmethod(CudaArray.fromHost)
    adopt = staticmethod(CudaArray.adopt)
    SourceModule = SourceModule
    ElementwiseKernel = ElementwiseKernel
    ReductionKernel = ReductionKernel
    realNames = CudaText.realNames
    dtypes = [(np.float32, 1e-5), (np.float64, 1e-12), (np.float16, 1e-2)]

    def __init__(self, index):
        self.context = Context(index)
        gpu = self.context.device
        self.putNvccOnPath()
        self.architecture = "sm_{}{}".format(*gpu.compute_capability())
        self.mostBlocks = blocksPerProcessor * gpu.multiprocessor_count
        # Its work comes after that of the default stream and before it, as the calls were made: so
        # PyCUDA's own functions and the user's kernels see what minidl has computed.
        self.stream = drv.Stream()
        self.memoryPool = MemoryPool(self.context, self.stream)
        self.transfers = Transfers(self.context, self.stream)
        self.strided = StridedCopy(self)
        self.matMul = MatMul(self)
        self.conv = None
        self.modules = []
        with contextlib.suppress(ImportError):
            import ml_dtypes

            self.dtypes = [*self.dtypes, (ml_dtypes.bfloat16, 5e-2)]

    def putNvccOnPath(self):
        """PyCUDA's own functions, sums of arrays for instance, call nvcc by its bare name."""
        nvcc = Toolkit.nvcc()
        if nvcc is not None and shutil.which("nvcc") != str(nvcc):
            os.environ["PATH"] = os.pathsep.join([str(nvcc.parent), os.environ.get("PATH", "")])

    def compile(self, file, real):
        """{kernel's name: function of (packed arguments, blocks)} of a kernel file."""
        text = textOf(file, real)
        if not CudaCompiler.isCached(file.stem, text, self.architecture):
            compileAhead(real, self.architecture)
        if twin := twinOf(file, real):
            return twin(self, file, real).launches
        module = self.load(file.stem, text)
        return {name: self.function(module, name) for name in file.declarations}

    def load(self, stem, text):
        """A PyCUDA module of CUDA C."""
        code = CudaCompiler.cubin(stem, text, self.architecture)
        module = moduleOf(self, code)
        self.modules.append(module)  # a function is of no use when its module has gone
        return module

    def function(self, module, name):
        """What launches a kernel, as a function of (packed arguments, blocks)."""
        return self.launcher(module.get_function(name), (block, 1, 1))

    def launcher(self, function, threads):
        """The same for one of PyCUDA's functions, with so many threads in a block."""
        launchKernel = function._launch_kernel

        def launch(packed, blocks, stream=self.stream, shared=0):
            try:
                launchKernel((blocks,), threads, packed, shared, stream)
            except drv.LogicError as error:
                if blocks == 0:
                    return
                self.context.recover(error)
                launchKernel((blocks,), threads, packed, shared, stream)

        return launch

    def guarded(self, function, *args):
        """function(*args), in a thread too that has not called CUDA before."""
        try:
            return function(*args)
        except drv.LogicError as error:
            self.context.recover(error)
            return function(*args)

    def reduce(self, function, array):
        """function(array), for one of numpy's that gives a single number, as an array."""
        return self.toDevice(function(array.get()))

    def elements(self, size):
        return max(1, min(-(-size // block), self.mostBlocks))

    def columns(self, number):
        return -(-number // min(block, blockColumns))

    def synchronize(self):
        """Waits for all work of this context."""
        self.guarded(drv.Context.synchronize)

    def describe(self):
        gpu = self.context.device
        return f"{gpu.name()}, {gpu.total_memory() / 2**30:.0f} GiB, {self.architecture}"


def twinOf(file, real):
    twin = twins.get(file.stem)
    return twin if twin is not None and real in twin.reals else None


def textOf(file, real):
    twin = twinOf(file, real)
    return CudaText.cudaText(file, real, block) if twin is None else twin.text(real)


@functools.cache
def compileAhead(real, architecture):
    KernelFile.inBackground(lambda file: CudaCompiler.cubin(
        file.stem, textOf(file, real), architecture))
