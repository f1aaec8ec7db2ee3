"""
What an installation has, what it lacks and how to get it: `python -m minidl doctor`.

It runs where things are missing, so it imports nothing of minidl's that needs more than Python.
"""

import ctypes
import importlib
import os
import platform
import sys
import tempfile
import time
from functools import partial
from importlib import metadata
from pathlib import Path

import minidl
from minidl import Config, CudaPackages
from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Driver, Toolkit

install = f"{sys.executable} -m pip install"

required = {"numpy": "numpy", "h5py": "h5py", "scipy-openblas32": "scipy_openblas32"}
optional = {"tqdm": "progress bars", "matplotlib": "plots"}

cudaSetup = f"{sys.executable} -m minidl cuda-setup"


def examine():
    """Prints the report; returns the exit code, 0 if nothing is wrong."""
    Config.showWarnings = False  # the report says it all
    report = Report()

    print(f"minidl {minidl.__version__}\n")
    report.line("Python", lambda: f"{platform.python_version()}, {sys.executable}")
    report.line("processor", lambda: f"{processorName()}, {os.cpu_count()} cores")
    report.line("backend", backend)
    report.line("compiler", compiler)
    report.line("cache folder", cacheFolder)

    print()
    for package, module in required.items():
        report.line(package, partial(requiredVersion, package, module))
    for package, use in optional.items():
        report.line(package, partial(optionalVersion, package, use))

    print()
    examineCuda(report)

    print()
    report.line("new kernel", newKernel)
    report.line("minidl's kernel", ownKernel)
    return report.close()


class Report:
    """Lines of a name and what a check says of it; a check that raises has found a problem."""

    def __init__(self):
        self.problems = []

    def line(self, name, check):
        try:
            text = check()
        except Exception as error:  # whatever is wrong with a machine, the report goes on
            if str(error) not in self.problems:
                self.problems.append(str(error))
            text = f"see problem {self.problems.index(str(error)) + 1}"
        print(f"{name:<18}{text}")

    def close(self):
        if not self.problems:
            print("\nall is well")
            return 0

        print(f"\n{len(self.problems)} problem{'s' * (len(self.problems) > 1)}:")
        for number, problem in enumerate(self.problems, 1):
            print(f"  {number}. " + problem.strip().replace("\n", "\n     "))
        return 1


def processorName():
    for line in HostCompiler.processor().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def backend():
    from minidl.Backend import Device

    return f"{Device.current().describe()} (Config.backend: {Config.chosenBackend()})"


def compiler():
    command = HostCompiler.compiler()
    done = HostCompiler.call([*command, "--version"])
    return f"{' '.join(command)}: {(done.stdout or done.stderr).splitlines()[0]}"


def cacheFolder():
    folder = KernelCache.namedFolder()
    reason = KernelCache.whyUnfit(folder)
    if reason is not None:
        raise RuntimeError(
            f"the cache folder {folder} {reason}, so each process compiles its kernels anew; "
            f"MINIDL_CACHE can name another")

    sizes = [path.stat().st_size for kind in ("*.so", "*.cubin") for path in folder.glob(kind)]
    return f"{folder}: {len(sizes)} libraries, {sum(sizes) / 2**20:.1f} MiB"


def examineCuda(report):
    library = Toolkit.driverLibrary()
    if library is None:
        report.line("NVIDIA driver", lambda: "none: minidl computes on the CPU")
        return

    told = Driver.ask(library)
    report.line("NVIDIA driver", partial(driver, library, told))
    for index, gpu in enumerate(told["gpus"]):
        report.line(f"GPU {index}", partial(gpuText, gpu))
    if not told["gpus"]:
        return
    report.line("nvcc", nvcc)
    report.line("cuda.h", cudaHeaders)
    report.line("PyCUDA", pyCuda)
    for package in CudaPackages.uses:
        report.line(package, partial(companion, package, tuple(told["version"])))


def driver(library, told):
    version = "CUDA {}.{}".format(*told["version"]) if told["version"] else "CUDA unknown"
    if told["error"] is None:
        return f"{version}, {library}"
    if Config.chosenBackend() == "cuda":
        raise RuntimeError(f"the GPU cannot be used: {told['error']} ({library})")
    return f"{version}, {library}; {told['error']}: minidl computes on the CPU"


def gpuText(gpu):
    return "{}, {:.0f} GiB, compute capability {}.{}".format(
        gpu["name"], gpu["memory"] / 2**30, *gpu["capability"])


def nvcc():
    path = Toolkit.nvcc()
    return lacking("nvcc") if path is None else f"{Toolkit.nvccVersion(path)}, {path}"


def cudaHeaders():
    folder = Toolkit.includeFolder()
    if folder is None:
        return f"not there; for building PyCUDA: {cudaSetup}"
    return "{}.{}, {}".format(*Toolkit.headerVersion(folder) or "??", folder)


def pyCuda():
    return CudaPackages.installed("pycuda") or lacking("PyCUDA")


def companion(package, version):
    use = CudaPackages.uses[package]
    if not CudaPackages.isHere(package, CudaPackages.majorOf(version)):
        return f"not there; for {use}: {cudaSetup}"
    return f"{CudaPackages.installed(package) or 'of the toolkit'}, for {use}"


def lacking(name):
    """Something that the GPU cannot be used without: a problem, unless the CPU is wanted."""
    if Config.chosenBackend() == "cpu":
        return f"not there; for the GPU: {cudaSetup}"
    raise RuntimeError(f"there is a GPU, but not all that it takes ({name}): {cudaSetup}")


def requiredVersion(package, module):
    try:
        importlib.import_module(module)
        return metadata.version(package)
    except ImportError as error:
        raise RuntimeError(f"{package} is missing ({error}): {install} {package}") from None


def optionalVersion(package, use):
    try:
        return f"{metadata.version(package)}, for {use}"
    except metadata.PackageNotFoundError:
        return f"not there; for {use}: {install} {package}"


def newKernel():
    """Compiles a text, whatever the cache holds, and calls it."""
    text = 'extern "C" int minidlTwice(int x) { return 2 * x; }'
    command = [*HostCompiler.compiler(), *HostCompiler.flags]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="Doctor-", dir=KernelCache.cacheFolder()) as folder:
        library = HostCompiler.build("Doctor", text, command, Path(folder))
        duration = time.perf_counter() - start
        result = ctypes.CDLL(str(library)).minidlTwice(21)
    return verdict(result == 42, f"compiled in {duration:.2f} s")


def ownKernel():
    """A kernel of minidl's, through the arrays and the threads that training uses."""
    import numpy as np

    from minidl.Backend import gpuarray
    from minidl.Backend.Ops import Activation

    values = np.linspace(-1, 1, 1_000_000, dtype=np.float32)
    data = gpuarray.to_gpu(values)
    Activation.forward("relu", data)

    start = time.perf_counter()
    result = Activation.forward("relu", data).get()
    duration = time.perf_counter() - start
    return verdict(
        np.array_equal(result, np.maximum(values, 0)),
        f"relu of a million numbers in {1000 * duration:.2f} ms")


def verdict(right, text):
    if not right:
        raise RuntimeError(f"{text}, but the result is wrong: please report it")
    return f"{text}, right"
