"""Turns CUDA C into GPU code, once: the result is kept under a hash of its making."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from importlib import metadata

import minidl
from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import Toolkit

include = re.compile(r"^\s*#\s*include", re.MULTILINE)


def cubin(stem, text, architecture, options=(), nvcc=None):
    """
    The GPU code of CUDA C `text`, as bytes; compiled only if the cache has no sound copy.

    Args:
        architecture: as nvcc takes it, sm_90 for instance.
        options: nvcc's.
        nvcc: the program, if it is not to be looked for.

    Raises:
        CompilerError: no compiler was found, or it refused the text.
    """
    path = place(stem, text, architecture, options, nvcc)
    make = nvrtcCubin if isForNvrtc(text, options, nvcc) else nvccCubin
    # What was cut off or damaged between being made and being read is made again.
    for _ in range(2):
        KernelCache.provide(path, lambda folder: make(
            folder, stem, text, [f"-arch={architecture}", *options], nvcc))
        if code := KernelCache.read(path):
            return code
    raise CompilerError(f"the compiled {stem} vanishes from {path.parent}: is its disk full?")


def isCached(stem, text, architecture):
    return place(stem, text, architecture, (), None).exists()


def place(stem, text, architecture, options, nvcc):
    """Where the code is kept that all this becomes."""
    identity = nvrtcIdentity() if isForNvrtc(text, options, nvcc) else nvccIdentity(nvcc)
    seen = preprocessed(text, options, nvcc) if include.search(text) else text
    making = seen, architecture, *options, identity, minidl.__version__
    return KernelCache.place(stem, "cubin", making)


def isForNvrtc(text, options, nvcc):
    # The library knows no folders of headers, and few of nvcc's options.
    plain = not (options or nvcc or include.search(text))
    return plain and not os.environ.get("MINIDL_NVCC") and hasNvrtc()


def compiler(nvcc=None):
    """The path of nvcc."""
    found = nvcc or Toolkit.nvcc()
    if found is None:
        raise CompilerError(
            "no CUDA compiler on this machine: python -m minidl cuda-setup installs one")
    return str(found)


def nvccIdentity(nvcc):
    # Asking it for its version would take some 30 ms at every start.
    path = os.path.realpath(compiler(nvcc))
    try:
        status = os.stat(path)
    except OSError as error:
        raise CompilerError(f"there is no CUDA compiler at {path} ({error})") from None
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def nvccCubin(folder, stem, text, options, nvcc):
    source, made = folder / f"{stem}.cu", folder / "made.cubin"
    source.write_text(text)
    run([compiler(nvcc), "--cubin", *options, "-o", str(made), str(source)], stem)
    return made


def preprocessed(text, options, nvcc):
    return run([compiler(nvcc), "--preprocess", *options, "-x", "cu", "-"], "kernel.cu", text)


def run(command, stem, text=""):
    environment = dict(os.environ)
    if "NVCC_CCBIN" not in environment and shutil.which("gcc") is None:
        environment["NVCC_CCBIN"] = HostCompiler.compiler()[0]
    done = subprocess.run(command, input=text, env=environment, capture_output=True,
                          encoding="utf-8", errors="replace")
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


def nvrtcCubin(folder, stem, text, options, nvcc):
    from cuda.bindings import nvrtc

    words = [option.encode() for option in options]
    error, program = nvrtc.nvrtcCreateProgram(text.encode(), f"{stem}.cu".encode(), 0, [], [])
    error, = nvrtc.nvrtcCompileProgram(program, len(words), words)
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        _, size = nvrtc.nvrtcGetProgramLogSize(program)
        log = b" " * size
        nvrtc.nvrtcGetProgramLog(program, log)
        words = log.decode(errors="replace").rstrip("\0")
        raise CompilerError(f"nvrtc cannot compile {stem}:\n{words}")
    _, size = nvrtc.nvrtcGetCUBINSize(program)
    code = b" " * size
    nvrtc.nvrtcGetCUBIN(program, code)
    nvrtc.nvrtcDestroyProgram(program)
    made = folder / "made.cubin"
    made.write_bytes(code)
    return made
