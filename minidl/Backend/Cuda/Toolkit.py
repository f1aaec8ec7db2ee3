"""
What there is of CUDA on this machine: the compiler nvcc, the headers, the driver's library.

Nothing of CUDA is loaded here. nvcc is the first that is found: what `MINIDL_NVCC` names; that of
the toolkit which `CUDA_HOME`, `CUDA_PATH` or `CUDA_ROOT` names; on PATH; in the folders where
toolkits are put; in PyPI's wheels, which `python -m minidl cuda-setup` installs.
"""

import contextlib
import functools
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

toolkitFolders = "/usr/local/cuda", "/usr/local/cuda-*", "/opt/cuda"
driverFolders = (
    "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/run/opengl-driver/lib")


@functools.cache
def nvcc():
    """The path of the nvcc to use, None if there is none; nobody has to put it on PATH."""
    named = os.environ.get("MINIDL_NVCC")
    if named:
        found = shutil.which(os.path.expanduser(named))
        if found is None:
            raise FileNotFoundError(
                f"MINIDL_NVCC names {named}, which is no program on this machine")
        return Path(found).absolute()
    found = (path for path in candidates() if path.is_file() and os.access(path, os.X_OK))
    return next((path.absolute() for path in found), None)


def candidates():
    """The paths where an nvcc may lie, the best first."""
    for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"):
        if root := os.environ.get(name):
            yield Path(root) / "bin/nvcc"
    if found := shutil.which("nvcc"):
        yield Path(found)
    for pattern in toolkitFolders:
        for root in newestFirst(Path("/").glob(pattern[1:])):
            yield root / "bin/nvcc"
    for root in wheelFolders():
        allowRunning(root)
        yield root / "bin/nvcc"


def allowRunning(root):
    """Some installers of wheels lose the permission to run what lies in them."""
    for path in (*root.glob("bin/*"), *root.glob("nvvm/bin/*")):
        if path.is_file() and not os.access(path, os.X_OK) and not path.suffix:
            with contextlib.suppress(OSError):
                path.chmod(path.stat().st_mode | 0o555)


def wheelFolders():
    """The roots of the toolkits in PyPI's wheels: site-packages/nvidia/cu13, and so on."""
    try:
        places = importlib.util.find_spec("nvidia").submodule_search_locations or ()
    except (AttributeError, ImportError, ValueError):
        return []
    found = (root for place in places for root in Path(place).glob("cu[0-9]*") if root.is_dir())
    return newestFirst(found)


def newestFirst(folders):
    return sorted(folders, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)] or [99],
                  reverse=True)


def root():
    """The folder of the toolkit that nvcc belongs to, None without one."""
    return rootOf(nvcc()) if nvcc() else None


@functools.cache
def rootOf(path):
    """The folder of the toolkit that an nvcc belongs to."""
    # What is found on PATH may be a script that calls the real one: that one says where it lies.
    told = re.search(r"^#\$ TOP=(.+)$", ask(path, "--dryrun", "--cubin", "none.cu"), re.MULTILINE)
    folder = Path(told[1].strip()) if told else Path(path).resolve().parent.parent
    return folder.resolve()


@functools.cache
def includeFolder():
    """The folder of cuda.h and what else PyCUDA is built with, None if there is none."""
    roots = [root()] if root() else []
    roots += [path.resolve().parent.parent for path in candidates()]
    folders = [folder for top in roots for folder in (
        top / "include", *sorted(top.glob("targets/*/include")))]
    return next(filter(hasHeaders, (*folders, Path("/usr/include"))), None)


def hasHeaders(folder):
    return all((folder / name).is_file() for name in ("cuda.h", "cudaProfiler.h"))


@functools.cache
def headerVersion(folder):
    """The version that the folder's cuda.h is of, (13, 0) say; None if it does not tell."""
    try:
        text = (folder / "cuda.h").read_text(errors="replace")
    except OSError:
        return None
    number = re.search(r"^#define CUDA_VERSION (\d+)", text, re.MULTILINE)
    return number and divmod(int(number[1]) // 10, 100)


@functools.cache
def nvccVersion(path):
    """The version of an nvcc as a text, "13.0.88" say; None if it does not tell."""
    told = re.search(r"\brelease [\d.]+, V(\d+\.\d+[.\d]*)", ask(path, "--version"))
    return told and told[1]


@functools.cache
def architectures(path):
    """The compute capabilities that an nvcc compiles for, [(7, 5), ...]; empty if it is silent."""
    numbers = re.findall(r"^compute_(\d+)$", ask(path, "--list-gpu-arch"), re.MULTILINE)
    return [divmod(int(number), 10) for number in numbers]


@functools.cache
def driverLibrary():
    """The path of the NVIDIA driver's libcuda.so.1, None if there is none."""
    name = "libcuda.so.1"
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        if (path := Path(folder) / name).is_file():
            return path.absolute()
    if path := linkerLibrary(name):
        return path
    found = (Path(folder) / name for folder in driverFolders)
    return next((path for path in found if path.is_file()), None)


def linkerLibrary(name):
    """The path at which the system's linker knows a library for 64-bit programs, or None."""
    listed = ask(shutil.which("ldconfig") or "/sbin/ldconfig", "-p")
    line = re.search(rf"^\s*{re.escape(name)} \(.*64.*\) => (.+)$", listed, re.MULTILINE)
    return Path(line[1]) if line else None


def forget():
    """Looks anew at the next question: what is installed has changed."""
    importlib.invalidate_caches()
    for function in (
            nvcc, rootOf, includeFolder, headerVersion, nvccVersion, architectures, driverLibrary):
        function.cache_clear()


def ask(path, *arguments):
    """What a program prints, "" if it cannot be run."""
    try:
        done = subprocess.run(
            [str(path), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
