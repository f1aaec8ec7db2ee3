"""Turns CUDA C into GPU code, once: the result is kept under a hash of its making."""

import functools
import importlib.util
import os
import re
import shutil
from importlib import metadata
from pathlib import Path

import minidl
from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import Toolkit

include = re.compile(r"^\s*#\s*include", re.MULTILINE)
lineMarker = re.compile(r"^# \d+ .*$", re.MULTILINE)
variables = "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS"  # options that nvcc takes beside its own

# What computes on boards of its own kind: code for one of these is for no other GPU.
boards = {(5, 3), (6, 2), (7, 2), (8, 7), (8, 8), (10, 1), (11, 0)}


def cubin(stem, text, architecture, options=(), nvcc=None, own=True):
    """
    The GPU code of CUDA C `text`, as bytes; compiled only if the cache has no sound copy. It is
    PTX, which the driver compiles, where nvcc is older than the GPU.

    Args:
        architecture: as nvcc takes it, sm_90 for instance.
        options: nvcc's.
        nvcc: the program, if it is not to be looked for.
        own: whether the text is minidl's own. These need no option and no header, which NVIDIA's
            compiler as a library does not have: not even that of INFINITY.

    Raises:
        CompilerError: no compiler was found, or it refused the text.
    """
    path = place(stem, text, architecture, options, nvcc, own)

    def make(folder):
        if isForNvrtc(own):
            try:
                return nvrtcCubin(folder, stem, text, architecture)
            except CompilerError:  # it does not know the GPU, say
                if Toolkit.nvcc() is None:
                    raise
        return nvccCubin(folder, stem, text, architecture, options, nvcc)

    # What was cut off or damaged between being made and being read is made again.
    for _ in range(2):
        KernelCache.provide(path, make)
        if code := KernelCache.read(path):
            return code
    raise CompilerError(f"the compiled {stem} vanishes from {path.parent}: is its disk full?")


def isCached(stem, text, architecture):
    return place(stem, text, architecture).exists()


def place(stem, text, architecture, options=(), nvcc=None, own=True):
    """Where the code is kept that all this becomes."""
    making = [text, architecture, *options, minidl.__version__]
    if isForNvrtc(own):
        making.append(nvrtcIdentity())
    else:
        making.append(nvccIdentity(nvcc))
        if include.search(text):
            making.append(preprocessed(text, architecture, options, nvcc))
    return KernelCache.place(stem, "cubin", making)


def isForNvrtc(own):
    return own and not os.environ.get("MINIDL_NVCC") and hasNvrtc()


def compiler(nvcc=None):
    """The path of nvcc."""
    found = nvcc or Toolkit.nvcc()
    if found is None:
        raise CompilerError(
            "no CUDA compiler on this machine: python -m minidl cuda-setup installs one")
    return str(found)


def nvccIdentity(nvcc):
    """What changes when nvcc does, or what the environment tells it."""
    # Asking it for its version would take some 30 ms at every start.
    program = compiler(nvcc)
    files = [Path(program).resolve()]
    try:
        if isWrapper(files[0]):
            real = Toolkit.rootOf(program) / "bin/nvcc"
            files += [real] * real.is_file()
        states = [(path, path.stat()) for path in files]
    except OSError as error:
        raise CompilerError(f"there is no CUDA compiler at {program} ({error})") from None
    told = [f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in states]
    return "\n".join([*told, *(f"{name}={os.environ.get(name, '')}" for name in variables)])


def isWrapper(path):
    """Whether a program is not nvcc itself, but calls it: a script, or ccache."""
    with open(path, "rb") as file:
        return path.name != "nvcc" or file.read(4) != b"\x7fELF"


def nvccCubin(folder, stem, text, architecture, options, nvcc):
    source, made = folder / f"{stem}.cu", folder / "made.cubin"
    source.write_text(text, encoding="utf-8")

    def compileAs(kind, arch):
        run([compiler(nvcc), kind, arch, *options, "-o", str(made), str(source)], stem)
        if kind == "--ptx":
            made.write_bytes(made.read_bytes() + b"\0")  # so the driver knows where it ends
        return made

    return forGpu(compileAs, architecture, nvcc)


def preprocessed(text, architecture, options, nvcc):
    """The text with its headers; equal whenever they are equal."""
    def preprocess(kind, arch):
        command = [compiler(nvcc), "--preprocess", arch, *options, "-x", "cu", "-"]
        return run(command, "kernel.cu", f'#line 1 "kernel.cu"\n{text}')

    # Some markers name nvcc's temporary file, another one each time.
    return lineMarker.sub("", forGpu(preprocess, architecture, nvcc))


def forGpu(call, architecture, nvcc):
    """call(kind of code, architecture), in nvcc's words; anew if nvcc does not know this one."""
    try:
        return call("--cubin", f"-arch={architecture}")
    except CompilerError:
        # Asked only now, since a start should not have to wait for the answer.
        nearest = nearestKnown(architecture, compiler(nvcc))
        if nearest is None:
            raise
    return call(*nearest)


def nearestKnown(architecture, nvcc):
    """What an nvcc makes that runs on a GPU it does not know; None if it knows the GPU."""
    number = re.fullmatch(r"sm_(\d+)", architecture)
    known = Toolkit.architectures(nvcc)
    own = number and divmod(int(number[1]), 10)
    if not known or own is None or own in known:
        return None
    older = [other for other in known if other < own]
    if not older:
        raise CompilerError(
            f"{nvcc} makes no code for this GPU ({architecture}), only for sm_{{}}{{}} and newer. "
            f"An older toolkit does: MINIDL_NVCC can name its nvcc".format(*min(known)))
    # The code of a GPU runs on later ones that have the same first digit; PTX runs on all.
    alike = [other for other in older if other[0] == own[0] and not boards & {other, own}]
    if alike:
        return "--cubin", "-arch=sm_{}{}".format(*max(alike))
    return "--ptx", "-arch=compute_{}{}".format(*max(older))


def run(command, stem, text=""):
    others = {}
    if "NVCC_CCBIN" not in os.environ and shutil.which("gcc") is None:
        others["NVCC_CCBIN"] = HostCompiler.compiler()[0]
    done = HostCompiler.call(command, text, **others)
    if done.returncode:
        raise CompilerError(f"nvcc cannot compile {stem}:\n{' '.join(command)}\n{done.stderr}")
    return done.stdout


# NVIDIA's compiler as a library: 0.03 s a kernel, where nvcc takes 0.3 s.

@functools.cache
def hasNvrtc():
    """Whether the library can be had, and this process may load it."""
    try:
        if importlib.util.find_spec("cuda.bindings.nvrtc") is None:
            return False
        from cuda.bindings import nvrtc

        return nvrtc.nvrtcVersion()[0] == nvrtc.nvrtcResult.NVRTC_SUCCESS
    except (ImportError, RuntimeError):  # no cuda.bindings, or no library that it finds
        return False


def nvrtcIdentity():
    from cuda.bindings import nvrtc

    _, major, minor = nvrtc.nvrtcVersion()
    return f"nvrtc {major}.{minor} {metadata.version('cuda-bindings')}"


def nvrtcCubin(folder, stem, text, architecture):
    from cuda.bindings import nvrtc

    error, program = nvrtc.nvrtcCreateProgram(text.encode(), f"{stem}.cu".encode(), 0, [], [])
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CompilerError(f"nvrtc cannot compile {stem}: {error!r}")
    try:
        error, = nvrtc.nvrtcCompileProgram(program, 1, [f"-arch={architecture}".encode()])
        if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            log = content(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
            words = log.decode(errors="replace").rstrip("\0")
            raise CompilerError(f"nvrtc cannot compile {stem}: {error!r}\n{words}")
        code = content(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    made = folder / "made.cubin"
    made.write_bytes(code)
    return made


def content(program, sizeOf, read):
    """What the library has for a program, as bytes: it writes into those that it is given."""
    _, size = sizeOf(program)
    filled = bytes(size + 1)  # Python shares those of length 1 with all who have the same
    read(program, filled)
    return filled[:size]
