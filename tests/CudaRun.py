"""
Runs Python where the host stands in for CUDA: `python -m tests.CudaRun -m pytest`.

The folder .hostcuda gets the stand-in for the driver and nvcc, and in `site` PyCUDA, built as
`python -m minidl cuda-setup` builds it, with what it and minidl's CUDA side import. NVIDIA's own
libraries, a gigabyte, are not among them.
"""

import os
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from minidl import PyCudaBuild
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Toolkit
from tests.hostcuda import Build

folder = Path(__file__).parents[1] / ".hostcuda"
site = folder / "site"

headers = "cuda-toolkit[cudart,profiler]==13.0.*"  # where there is no toolkit
cudaVersion = 13  # of the stand-in
packages = [
    "pytools", "siphash24", "mako", "markupsafe", "platformdirs", "typing_extensions",
    "nvmath-python", f"cuda-bindings=={cudaVersion}.*", "cuda-core", "cuda-pathfinder", "ml_dtypes",
    "backports.strenum; python_version < '3.11'"]


def prepare():
    """Makes the stand-in and the site; leaves what is up to date."""
    Build.build(folder)
    stamp, made = folder / "site.made", "\n".join([
        PyCudaBuild.version, sys.version, metadata.version("numpy"), *packages])
    if stamp.exists() and stamp.read_text() == made:
        return

    print("installing PyCUDA for the host stand-in into .hostcuda/site", flush=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder) as new:
        new = Path(new)
        wheel = PyCudaBuild.provide(includeFolder(new), new, tell=lambda text: None)
        PyCudaBuild.pip(
            "install", "--quiet", "--no-deps", "--target", new / "site", wheel, *packages)
        shutil.rmtree(site, ignore_errors=True)
        (new / "site").rename(site)
    stamp.write_text(made)


def includeFolder(new):
    """The folder of cuda.h: the machine's, if it is of the stand-in's version, else PyPI's."""
    found = Toolkit.includeFolder()
    if found is not None and Toolkit.headerVersion(found)[0] == cudaVersion:
        return found
    PyCudaBuild.pip("install", "--quiet", "--target", new / "headers", headers)
    return new / f"headers/nvidia/cu{cudaVersion}/include"


def environment():
    """The variables of a process that finds the stand-in, and computes with it."""
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **Build.environment(folder), "PYTHONPATH": os.pathsep.join(paths),
            "MINIDL_BACKEND": "cuda"}


if __name__ == "__main__":
    if "ziglang" in HostCompiler.compiler():
        sys.exit("the host stand-in for CUDA is built with g++ or clang++: install one of them")
    prepare()
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], environment())
