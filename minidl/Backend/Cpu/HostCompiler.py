"""Turns C++ text into a loaded library, once: the result is kept under a hash of its making."""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from minidl import Config

flags = [
    "-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fno-trapping-math",
    "-fno-exceptions", "-fno-rtti", "-shared", "-fPIC", "-pthread",
]

digestSize = hashlib.sha256().digest_size


class CompilerError(RuntimeError):
    """There is no compiler, or it refused a text; the message has its command and its words."""


def load(stem, text, extraFlags=()):
    """
    The library (ctypes.CDLL) made from C++ `text`; compiled only if the cache has no sound copy.

    Raises:
        CompilerError: no compiler was found, or it refused the text.
    """
    command, path = entry(stem, text, extraFlags)
    if not isSound(path):
        with lock(path.with_suffix(".lock")):
            if not isSound(path):  # another process may have built it while we waited
                build(stem, text, command, path)
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
    return command, cacheFolder() / f"{stem}-{keyOf(text, command)}.so"


def build(stem, text, command, path):
    """Makes the library at `path`, whose lock the caller holds."""
    for leftover in path.parent.glob(f"{path.stem}.build-*"):  # a process was killed at work
        shutil.rmtree(leftover, ignore_errors=True)

    with tempfile.TemporaryDirectory(prefix=f"{path.stem}.build-", dir=path.parent) as folder:
        made = Path(folder) / "library.so"
        command = [*command, "-x", "c++", "-", "-o", str(made)]
        done = call(command, text)
        if done.returncode:
            raise CompilerError(
                f"the host compiler cannot compile {stem}:\n{' '.join(command)}\n{done.stderr}")
        with open(made, "ab") as file:  # the loader ignores what follows the library proper
            file.write(digest(path, made.read_bytes()))
        made.replace(path)  # in one step: nobody ever sees half a library


def call(command, text=""):
    # Zig keeps what it has made of the C library. Its own choice is the home, and where that cannot
    # be written it never returns.
    environment = {"ZIG_GLOBAL_CACHE_DIR": str(cacheFolder() / "zig"), **os.environ}
    return subprocess.run(
        command, input=text, env=environment, capture_output=True, encoding="utf-8",
        errors="replace")


def isSound(path):
    """Whether the file is there, is the one of this name, and whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return digest(path, content[:-digestSize]) == content[-digestSize:]


def digest(path, content):
    return hashlib.sha256(path.name.encode() + content).digest()


@contextlib.contextmanager
def lock(path):
    """Holds the file's lock, which the system frees if this process dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Closing is not enough: a child forked meanwhile shares the lock, and would keep it.
            fcntl.flock(file, fcntl.LOCK_UN)


def keyOf(text, command):
    parts = [text, *command, compilerIdentity(command[0]), processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


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


@functools.cache
def cacheFolder():
    """The folder of compiled libraries: the user's own, else a temporary one for this process."""
    folder = namedFolder()
    reason = whyUnfit(folder)
    if reason is None:
        return folder.absolute()
    if Config.showWarnings:
        warnings.warn(
            f"kernels will be compiled anew in each process, since the cache folder {folder} "
            f"{reason}; MINIDL_CACHE can name another", RuntimeWarning, stacklevel=2)
    return temporaryFolder()


def namedFolder():
    """Where the cache should be: as the user has said, else where users keep such things."""
    usual = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "minidl")
    return Path(os.path.expanduser(Config.cacheFolder or usual))


def whyUnfit(folder):
    """Why libraries must not be loaded from the folder, or None; makes it if it is not there."""
    if folder.parts[:1] == ("~",):
        return "lies in a home that is not known"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        return f"cannot be made ({error})"
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if status.st_uid != os.getuid():
        return "belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written"
    return None


def temporaryFolder():
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="minidl-"))
    owner = os.getpid()  # a forked child must not remove it
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder
