"""Builds the host stand-in for CUDA's driver and for nvcc: python -m tests.hostcuda.Build FOLDER"""

import hashlib
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minidl.Backend.Cpu import HostCompiler
from tests.hostcuda import Nvcc

own = Path(__file__).parent
root = own.parents[1]
sources = sorted((own / "driver").glob("*.cpp"))
libraries = {"CublasLt": "libcublasLt.so.13"}  # NVIDIA's, as far as minidl calls them

flags = ["-O2", "-g", "-std=c++17", "-fPIC", "-pthread", "-fvisibility=hidden", "-Wall"]
includes = [f"-I{root / 'minidl/Backend/Cpu/Simt'}", f"-I{root / 'minidl/Backend/Cpu'}"]


def build(folder):
    """Makes libcuda.so.1 and bin/nvcc in the folder; leaves what is up to date."""
    folder = Path(folder).absolute()
    for name in ("objects", "bin", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    makeLibrary(folder)
    for stem, name in libraries.items():
        makeOther(own / f"libraries/{stem}.cpp", folder / name)
    makeNvcc(folder / "bin/nvcc")


def makeLibrary(folder):
    library, stamp = folder / "libcuda.so.1", folder / "libcuda.hash"
    made = hashOf()
    if library.exists() and stamp.exists() and stamp.read_text() == made:
        return
    objects = [folder / "objects" / f"{source.stem}.o" for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compileOne, sources, objects))
    unfinished = library.with_suffix(".new")
    call("-shared", "-pthread", "-Wl,-soname,libcuda.so.1", *objects, "-ldl", "-o", unfinished)
    unfinished.replace(library)
    plain = folder / "libcuda.so"
    plain.unlink(missing_ok=True)
    plain.symlink_to(library.name)
    stamp.write_text(made)


def makeOther(source, library):
    """One of the libraries that call the driver."""
    header = root / "minidl/Backend/Kernels/Half.h"
    newest = max(path.stat().st_mtime for path in (source, header))
    if not library.exists() or library.stat().st_mtime < newest:
        call(*flags, "-fvisibility=default", "-shared", source, library.parent / "libcuda.so.1",
             "-o", library)


def compileOne(source, made):
    call(*flags, *includes, "-c", source, "-o", made)


def call(*arguments):
    command = [*HostCompiler.compiler(), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or done.stderr:
        sys.stderr.write(f"{shlex.join(command)}\n{done.stderr}")
    done.check_returncode()


def hashOf():
    """What changes when the library must be built anew."""
    simt = root / "minidl/Backend/Cpu/Simt"
    texts = [*sources, *sorted((own / "driver").glob("*.h")), *sorted(simt.glob("*"))]
    parts = [*flags, *HostCompiler.compiler()]
    parts += [path.read_text() for path in texts if path.is_file()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def makeNvcc(path):
    """
    A program, since the environment that it is called in may name another Python. minidl keeps what
    an nvcc has made for as long as its file stays as it is: this one changes when the headers do.
    """
    words = [sys.executable, "-B", "-E", "-s", "-W", "ignore", str(own / "Nvcc.py")]
    text = f'#!/bin/sh\n# {Nvcc.version()[-17:-1]}\nexec {shlex.join(words)} "$@"\n'
    if not path.exists() or path.read_text() != text:
        unfinished = path.with_suffix(".new")
        unfinished.write_text(text)
        unfinished.chmod(0o755)
        unfinished.replace(path)


def environment(folder):
    """The variables of a process that is to find the stand-in in place of CUDA."""
    folder = Path(folder).absolute()
    before = os.environ.get("LD_LIBRARY_PATH")
    return {
        "LD_LIBRARY_PATH": os.pathsep.join([str(folder), *filter(None, [before])]),
        "PATH": os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)]),
        "MINIDL_NVCC": str(folder / "bin/nvcc"),
        "PYCUDA_CACHE_DIR": str(folder / "cache"),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(sys.argv[1])
