"""CUDA C for the CPU: the text is compiled by the host compiler, between the headers of Simt/."""

import ctypes
import functools
import hashlib
import tempfile
from pathlib import Path

from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cpu.Function import Function, LaunchError
from minidl.Backend.Cpu.KernelText import KernelText
from minidl.Backend.KernelFile import KernelError

folder = Path(__file__).parent / "Simt"

commonFlags = [
    "-w",  # a message then holds errors only
    "-nostdinc++",  # C's own headers: C++'s of the same names take longer than all the rest
    "-fno-strict-aliasing",  # kernels read memory as what they like, float4 for instance
    "-fno-semantic-interposition",  # a function may be inlined though its name can be seen
    "-Wl,-Bsymbolic",  # and means this library's own, whatever it is called
]


def flags():
    """What the host compiler is told beside HostCompiler.flags."""
    # Else the __shared__ variables of two kernels of one name would be one, in all libraries.
    return [*commonFlags, *(["-fno-gnu-unique"] if HostCompiler.isGcc() else [])]


class Record(ctypes.Structure):
    """A kernel as Simt/Launch.h describes it."""

    _fields_ = [
        ("name", ctypes.c_char_p), ("run", ctypes.c_void_p), ("address", ctypes.c_void_p),
        ("packedSize", ctypes.c_long), ("numParameters", ctypes.c_long),
        ("describe", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    ]


class Symbol(ctypes.Structure):
    """An entry of a library's table of symbols (Elf64_Sym)."""

    _fields_ = [
        ("name", ctypes.c_uint32), ("info", ctypes.c_uint8), ("other", ctypes.c_uint8),
        ("section", ctypes.c_uint16), ("value", ctypes.c_uint64), ("size", ctypes.c_uint64),
    ]


class SourceModule:
    """The CPU's half of minidl.Backend.SourceModule, which see."""

    def __init__(
            self, source, nvcc="nvcc", options=None, keep=False, no_extern_c=False, arch=None,
            code=None, cache_dir=None, include_dirs=()):
        self.options = [*hostOptions(options or ()), *(f"-I{path}" for path in include_dirs)]
        self.text = KernelText(source, self.expand)
        if self.text.includes:
            self.options.append(f"-I{folder / 'include'}")

        file = keptFile(source) if keep else "kernel.cu"
        program = self.program(file, no_extern_c)
        self.library = HostCompiler.load("SourceModule", program, [*flags(), *self.options])
        if self.text.cooperates:
            ctypes.c_void_p.in_dll(self.library, "minidlFibers").value = fibers()
            self.failure = (ctypes.c_char * 256).in_dll(self.library, "minidlFailure")
        self.functions = {}

    def expand(self, source):
        """The source as the preprocessor leaves it."""
        command = [
            *HostCompiler.compiler(), "-E", "-P", "-w", "-std=c++17", "-nostdinc++",
            "-D__CUDACC__=1", "-D__CUDA_ARCH__=800", f"-I{folder / 'include'}", *self.options,
            "-x", "c++", "-"]
        done = HostCompiler.call(command, f'#line 1 "kernel.cu"\n{source}')
        if done.returncode:
            raise HostCompiler.CompilerError(
                f"the host compiler cannot read kernel.cu:\n{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def program(self, file, noExternC):
        """The whole text for the host compiler."""
        opening, closing = ("", "") if noExternC else ('extern "C" {\n', "\n}")
        return "\n".join([
            *map(header, headers(self.text)),
            f'{opening}#line 1 "{file}"\n{self.text.translated}{closing}',
            '#line 1 "after kernel.cu"',
            *(f"SIMT_DYNAMIC_SHARED({name})" for name in self.text.dynamicShared),
            'extern "C" const simt::Record minidlKernels[] = {',
            *(recordOf(kernel.name, noExternC) for kernel in self.text.kernels),
            "{0, 0, 0, 0, 0, 0}};",
            # The text does not change when what it includes does; this line does.
            f"// {hashlib.sha256(self.text.expanded.encode()).hexdigest()}",
        ])

    def get_function(self, name):
        if name not in self.functions:
            record, argumentNames = self.find(name)
            self.functions[name] = Function(self, name, record, argumentNames)
        return self.functions[name]

    def afterLaunch(self, name):
        """Raises what went wrong in a launch of kernel `name`, and shows what it printed."""
        if self.text.prints:
            ctypes.pythonapi.fflush(None)
        if self.text.cooperates and self.failure.raw[0]:
            failure = self.failure.value.decode(errors="replace")
            self.failure.value = b""
            raise LaunchError(f"kernel {name}: {failure}")

    def find(self, name):
        """(Record, names of the arguments) of a kernel, by its name or its mangled name."""
        number = len(self.text.kernels)
        records = (Record * number).in_dll(self.library, "minidlKernels") if number else []
        address = ctypes.cast(getattr(self.library, name, None), ctypes.c_void_p).value
        for record, kernel in zip(records, self.text.kernels, strict=True):
            if kernel.name == name or (record.address is not None and record.address == address):
                return record, kernel.arguments
        known = ", ".join(kernel.name for kernel in self.text.kernels) or "none"
        raise KernelError(f"SourceModule: no kernel {name}; the text has {known}")

    def get_global(self, name):
        """(address, size in bytes) of a __device__ or __constant__ variable."""
        try:
            address = ctypes.addressof(ctypes.c_char.in_dll(self.library, name))
        except ValueError:
            raise KernelError(f"SourceModule: no __device__ or __constant__ {name}") from None
        information, symbol = (ctypes.c_void_p * 4)(), ctypes.POINTER(Symbol)()
        withSymbol = 1
        ctypes.CDLL(None).dladdr1(
            ctypes.c_void_p(address), information, ctypes.byref(symbol), withSymbol)
        return address, symbol.contents.size


def headers(text):
    yield from ("Words", "Vectors", "Grid", "Arithmetic", "Intrinsics", "Atomics")
    yield from ("Fibers", "Cooperation") if text.cooperates else ("Alone",)
    if text.dynamicShared:
        yield "DynamicShared"
    yield "Launch"


@functools.cache
def header(stem):
    return f'#line 1 "{stem}.h"\n' + (folder / f"{stem}.h").read_text()


def recordOf(name, noExternC):
    # Only a mangled name is looked up by its address, and only for that the kernel is made alone.
    address = f"(const void *)(void (*)())&{name}" if noExternC else "0"
    return f'simt::record<{name}>("{name}", {address}, {name}),'


@functools.cache
def fibers():
    """The address of minidl's one table of functions for waiting threads."""
    parts = "Fibers.h", "Switch.h", "Stacks.h", "Block.h", "Fibers.cpp"
    text = "\n".join((folder / part).read_text() for part in parts)
    library = HostCompiler.load("Fibers", text, ["-Wl,-Bsymbolic"])
    return ctypes.addressof(ctypes.c_char.in_dll(library, "minidlFibers"))


def hostOptions(options):
    """Of nvcc's options, those that the host compiler has as well."""
    found, options = [], iter([options] if isinstance(options, str) else options)
    for option in options:
        if option in ("-D", "-U", "-I"):
            found.append(option + next(options, ""))
        elif option.startswith(("-D", "-U", "-I")):
            found.append(option)
        elif option in ("-g", "-G", "--debug", "--device-debug"):
            found += ["-g", "-O0"]
    return found


def keptFile(source):
    """Writes the text to a file of its own, for a debugger, and says where."""
    path = Path(tempfile.mkdtemp(prefix="minidl-")) / "kernel.cu"
    path.write_text(source)
    print(f"*** compiler output in {path.parent}")
    return path
