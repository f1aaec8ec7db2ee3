"""Turns C++ text into a loaded library, once: the result is kept under a hash of its making."""

import ctypes
import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading

from minidl.Backend import KernelCache

flags = [
    "-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fno-trapping-math",
    "-fno-exceptions", "-fno-rtti", "-shared", "-fPIC", "-pthread",
]


# Held while a process starts, and by who forks: a child that came into being just then would keep
# the pipes open by which the process tells that it has started, and its parent would wait for ever.
starting = threading.Lock()
os.register_at_fork(before=starting.acquire, after_in_parent=starting.release,
                    after_in_child=starting.release)


class CompilerError(RuntimeError):
    """There is no compiler, or it refused a text; the message has its command and its words."""


def load(stem, text, extraFlags=()):
    """
    The library (ctypes.CDLL) made from C++ `text`; compiled only if the cache has no sound copy.

    Raises:
        CompilerError: no compiler was found, or it refused the text.
    """
    command, path = entry(stem, text, extraFlags)
    KernelCache.provide(path, lambda folder: build(stem, text, command, folder))
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompilerError(
            f"the system does not load the compiled {stem} ({error}); where programs may not run "
            f"from {path.parent}, MINIDL_CACHE can name another folder") from None


def isCached(stem, text, extraFlags=()):
    _, path = entry(stem, text, extraFlags)
    return path.exists()


def entry(stem, text, extraFlags):
    """(the command that makes a library, its place in the cache)"""
    command = [*compiler(), *flags, *extraFlags]
    return command, KernelCache.place(stem, "so", making(text, command))


def making(text, command):
    """All that decides what a library becomes."""
    return text, *command, compilerIdentity(command[0]), processor()


def build(stem, text, command, folder):
    """Compiles a library into the folder, and returns its path."""
    made = folder / "library.so"
    command = [*command, "-x", "c++", "-", "-o", str(made)]
    done = call(command, text)
    if done.returncode:
        raise CompilerError(
            f"the host compiler cannot compile {stem}:\n{' '.join(command)}\n{done.stderr}")
    return made


def call(command, text="", **variables):
    """The CompletedProcess of a compiler that reads `text`, with these variables beside its own."""
    # Zig keeps what it has made of the C library. Its own choice is the home, and where that cannot
    # be written it never returns.
    environment = {
        "ZIG_GLOBAL_CACHE_DIR": str(KernelCache.cacheFolder() / "zig"), **os.environ, **variables}
    # No pipe for the text: a child forked meanwhile would share it, and it would never end.
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        with starting:
            process = subprocess.Popen(
                command, stdin=file, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
        with process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)


@functools.cache
def compiler():
    """The command of the C++ compiler, as a list of words."""
    named = os.environ.get("CXX", "").split()
    if named:
        found = shutil.which(named[0])
        if found is None:
            raise CompilerError(f"CXX names {named[0]}, which is no program on this machine")
        return [found, *named[1:]]

    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]

    try:
        import ziglang  # noqa: F401
    except ImportError:
        raise CompilerError(
            "no C++ compiler on this machine: minidl compiles its kernels when they are first "
            "used. Install g++ or clang++, or run: pip install ziglang") from None
    # "cc", since "c++" would first build the C++ library, which no text here needs, for a minute.
    return [sys.executable, "-m", "ziglang", "cc"]


@functools.cache
def isGcc():
    """Whether the compiler is GCC, which it calls itself by its maker's name."""
    return "Free Software Foundation" in call([*compiler(), "--version"]).stdout


@functools.cache
def compilerIdentity(program):
    """What changes when the compiler does. Asking it for its version takes up to 0.1 s a start."""
    if program == sys.executable:
        from importlib.metadata import version

        return f"ziglang {version('ziglang')}"
    status = os.stat(os.path.realpath(program))
    return f"{os.path.realpath(program)} {status.st_size} {status.st_mtime_ns}"


@functools.cache
def processor():
    """The processor's model and abilities: -march=native code of one may stop on another."""
    try:
        with open("/proc/cpuinfo") as file:
            first = file.read(1 << 14).split("\n\n")[0]
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    changing = (
        "cpu MHz", "bogomips", "BogoMIPS", "processor", "core id", "apicid", "initial apicid")
    return "\n".join(line for line in first.splitlines() if not line.startswith(changing))
