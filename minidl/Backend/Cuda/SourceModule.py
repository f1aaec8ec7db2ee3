"""The user's CUDA C for the GPU: PyCUDA's functions, from code of minidl's own cache."""

import re
import tempfile

import pycuda.compiler
import pycuda.driver as drv

from minidl.Backend import Device
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import CudaCompiler
from minidl.Backend.KernelFile import KernelError


class SourceModule(pycuda.compiler.CudaModule):
    """The GPU's half of minidl.Backend.SourceModule, which see."""

    def __init__(
            self, source, nvcc="nvcc", options=None, keep=False, no_extern_c=False, arch=None,
            code=None, cache_dir=None, include_dirs=()):
        device = Device.current()
        if options is None:
            options = pycuda.compiler.DEFAULT_NVCC_FLAGS  # PYCUDA_DEFAULT_NVCC_FLAGS
        options = [options] if isinstance(options, str) else list(options)
        options += [f"-I{path}" for path in include_dirs]
        if not no_extern_c:
            source = f'extern "C" {{\n#line 1 "kernel.cu"\n{source}\n}}'
        if keep:
            folder = tempfile.mkdtemp(prefix="minidl-")
            print(f"*** compiler output in {folder}")
            options += ["--keep", f"--keep-dir={folder}"]
        if code is not None:
            options += ["-code", code]
            arch = arch or code.replace("sm_", "compute_")

        cubin = CudaCompiler.cubin(
            "SourceModule", source, arch or device.architecture, options,
            None if nvcc == "nvcc" else nvcc, own=False)
        self.module = moduleOf(device, cubin)
        self._bind_module()

    def get_function(self, name):
        try:
            return super().get_function(name)
        except drv.LogicError:
            raise KernelError(f"SourceModule: the text has no kernel {name}") from None


def moduleOf(device, code):
    """A PyCUDA module of GPU code."""
    try:
        return device.guarded(drv.module_from_buffer, code)
    except drv.Error as error:
        if not re.search("kernel image|PTX", str(error)):
            raise
        raise CompilerError(
            f"the NVIDIA driver does not take what the CUDA compiler has made ({error}): either it "
            f"is older than the compiler, or the code is not for this GPU. python -m minidl "
            f"cuda-setup tells whether they fit, and what to do") from None
