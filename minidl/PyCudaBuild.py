"""
PyCUDA's wheel, built from its source: without curand, which minidl does not need, and without a
driver. It is kept in the user's cache, and the next environment takes it from there.

A shared library may leave names open, so PyCUDA is linked with an empty library that only has the
driver's name, and the wheel serves any driver.
"""

import importlib
import os
import platform
import re
import runpy
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import metadata
from pathlib import Path

from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Toolkit

version = "2026.1"
tools = ["setuptools>=70.1"]  # the first that makes wheels by itself

quick = "-O1"  # its own work is a call of the driver: -O3 takes twice as long to build

siteconf = """\
CUDA_ENABLE_CURAND = False
CUDA_INC_DIR = [{include!r}]
CUDADRV_LIBNAME = []
CXXFLAGS = [{quick!r}, "-g0", "-w", "-Wno-enum-constexpr-conversion"]
LDFLAGS = ["-s", "-Wl,--no-as-needed", {driver!r}, "-Wl,--unresolved-symbols=ignore-all"]
"""


class BuildError(RuntimeError):
    """PyCUDA could not be built; the message has the end of what was said of it."""


def provide(include, folder, sources=(), tell=print):
    """
    PyCUDA's wheel, put into `folder` under its own name.

    Args:
        include: the folder of cuda.h.
        sources: options for pip that say where packages come from.
        tell: called with a text now and then, as the work goes on.
    """
    kept = place(include)
    KernelCache.provide(kept, lambda made: build(include, made, sources, tell))
    # The cache adds a digest to what it keeps, and names it after its making: neither is pip's way.
    unnamed = folder / "pycuda.whl"
    unnamed.write_bytes(KernelCache.read(kept))
    return unnamed.rename(folder / nameOf(unnamed))


def place(include):
    """Where the wheel is kept: the parts are what decides whether it fits."""
    command = HostCompiler.compiler()
    parts = [
        version, sys.implementation.cache_tag, sysconfig.get_platform(), *platform.libc_ver(),
        metadata.version("numpy").split(".")[0], str(Toolkit.headerVersion(include)),
        *command, HostCompiler.compilerIdentity(command[0]), siteconf, quick]
    return KernelCache.place("PyCuda", "whl", parts)


def nameOf(wheel):
    """The file name that a wheel must have, from what it says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        tag = re.search(r"^Tag: (\S+)", archive.read(name).decode(), re.MULTILINE)[1]
    return f"{name.removesuffix('.dist-info/WHEEL')}-{tag}.whl"


def build(include, folder, sources, tell):
    """Makes the wheel in the folder, and returns its path."""
    tell("getting its source")
    pip("install", "--target", folder / "tools", *sources, *tools)
    environment = toolEnvironment(folder / "tools")
    # pip prepares what it downloads, and PyCUDA's setup.py waits ten seconds for a siteconf.py.
    pip("download", "--no-deps", "--no-build-isolation", "--no-binary", "pycuda", "--dest", folder,
        *sources, f"pycuda=={version}", environment=environment)
    tree = unpack(next(folder.glob("pycuda-*.tar.gz")), folder)
    (tree / "siteconf.py").write_text(
        siteconf.format(include=str(include), quick=quick, driver=str(emptyDriver(folder))))

    command = [sys.executable, "-m", "minidl.PyCudaBuild", str(tree), str(folder)]
    lines = []
    with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace") as process:
        for line in process.stdout:
            lines.append(line)
            if line.startswith(compiled):
                tell(line.strip())
    if process.returncode:
        raise BuildError(
            f"PyCUDA cannot be built by {environment['CXX']} (the variable CXX can name another "
            f"compiler):\n" + "".join(line[:500] for line in lines[-20:]))
    return next(folder.glob("pycuda-*.whl"))


def pip(*arguments, environment=None, watched=False):
    """Calls pip; it shows what it does where somebody looks on, and else keeps silent."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL,
        stdout=None if watched else subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        errors="replace")
    if done.returncode:
        said = (done.stderr or done.stdout or "").strip().splitlines()[-10:]
        raise BuildError(
            "\n".join([f"pip failed: {shlex.join(command)}", *said]) + "\nA machine without a "
            "network takes packages from a folder that they were downloaded into: --find-links")


def toolEnvironment(folder):
    """setup.py finds the build tools and minidl, and takes minidl's compiler for C too."""
    command = shlex.join(HostCompiler.compiler())
    paths = [str(folder), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "CC": command, "CXX": command,
            "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def unpack(archive, folder):
    """Takes files and folders out of an archive, nothing else, and puts them nowhere else."""
    folder = folder.resolve()
    with tarfile.open(archive) as file:
        for member in file:
            target = (folder / member.name).resolve()
            if not (member.isfile() or member.isdir()) or not target.is_relative_to(folder):
                raise BuildError(f"{archive.name} is no source of PyCUDA: it has {member.name}")
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        file.extractall(folder, **safe)
    return next(path for path in folder.glob("pycuda-*") if path.is_dir())


def emptyDriver(folder):
    library = folder / "libcuda.so"
    done = HostCompiler.call([
        *HostCompiler.compiler(), "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-x", "c++", "-",
        "-o", str(library)])
    if done.returncode:
        raise BuildError(f"the compiler makes no shared library:\n{done.stderr}")
    return library


compiled = "compiled "


def compileTree(tree, folder):
    """
    Runs PyCUDA's setup.py, in a process of its own, on all cores: its files are compiled at once
    instead of one by one, and a line tells of each.
    """
    importlib.import_module("setuptools")  # whose distutils it is
    from distutils.unixccompiler import UnixCCompiler

    compileFile, link = UnixCCompiler._compile, UnixCCompiler.link
    waiting, done = [], []

    def compileAndLink(*arguments, **options):
        waiting.sort(key=lambda call: os.path.getsize(call[2]), reverse=True)  # the long ones first
        total = len(done) + len(waiting)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for file in as_completed([pool.submit(compileFile, *call) for call in waiting]):
                if file.exception() is not None:
                    pool.shutdown(cancel_futures=True)
                done.append(file.result())
                print(f"{compiled}{len(done)} of {total} files", flush=True)
        waiting.clear()
        link(*arguments, **options)

    UnixCCompiler._compile = lambda *call: waiting.append(call)
    UnixCCompiler.link = compileAndLink
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.argv = ["setup.py", "build_ext", "bdist_wheel", "--dist-dir", str(folder)]
    runpy.run_path("setup.py", run_name="__main__")


if __name__ == "__main__":
    compileTree(*sys.argv[1:])
