"""The text in C++ that the stand-in for nvcc has the host compiler make a module of."""

import re
from pathlib import Path

from minidl.Backend.Cpu import HostCompiler, SourceModule
from minidl.Backend.Cpu.KernelText import KernelText

own = Path(__file__).parent
headers = "Plan.h", "Run.h"

# What goes beyond an array whose size is known, or is not aligned as its type, ends the kernel.
checks = ["-fsanitize=alignment,bounds", "-fsanitize-undefined-trap-on-error"]

# PyCUDA's reductions rely on the threads of a warp to run statement by statement together.
lockstep = re.compile(
    r"^(\s*if \(BLOCK_SIZE >= \d+\)\s*)smem\[tid\] = (REDUCE\(smem\[tid\], smem\[tid \+ \d+\]\));$",
    re.M)


class Cubin(SourceModule.SourceModule):
    """The text that the host compiler gets; `SourceModule` knows how to read CUDA C."""

    def __init__(self, source, options):
        # This folder comes first: it has headers in place of PyCUDA's.
        self.options = [f"-I{own / 'include'}", *SourceModule.hostOptions(options)]
        self.text = KernelText(inSteps(source), self.expand)
        if self.text.includes:
            self.options.append(f"-I{SourceModule.folder / 'include'}")

    def command(self):
        return [
            *HostCompiler.compiler(), *HostCompiler.flags, *SourceModule.flags(), *checks,
            *self.options, "-x", "c++", "-"]

    def program(self, file):
        byName = self.text.translated.lstrip().startswith('extern "C" {')
        return "\n".join([
            *map(SourceModule.header, SourceModule.headers(self.text)),
            f'#line 1 "{file}"', self.text.translated,
            *(f"SIMT_DYNAMIC_SHARED({name})" for name in self.text.dynamicShared),
            *(f'#line 1 "{name}"\n' + (own / "driver" / name).read_text() for name in headers),
            'extern "C" {', "extern const hostcuda::Kernel hostcudaKernels[];",
            "hostcuda::Range hostcudaDynamicShared() { return {simtShared, sizeof simtShared}; }"
            * bool(self.text.dynamicShared), "}", "const hostcuda::Kernel hostcudaKernels[] = {",
            *(entryOf(kernel.name, byName) for kernel in self.text.kernels),
            "{0, 0, 0, 0, 0}};"])


def entryOf(name, byName):
    # Where C++ mangles the names, a kernel is also asked for by that name.
    address = "0" if byName else f"(const void *)(void (*)())&{name}"
    return f'hostcuda::entry<{name}>("{name}", {address}, {name}),'


def inSteps(source):
    """The text with a meeting of the warp wherever PyCUDA takes one for granted."""
    return lockstep.sub(
        r"\1{ auto both = \2; __syncwarp(); smem[tid] = both; __syncwarp(); }", source)
