"""
What an installation has, what it lacks and how to get it: `python -m minidl doctor`.

It runs where things are missing, so it imports nothing of minidl's that needs more than Python.
"""

import ctypes
import importlib
import os
import platform
import sys
import time
from functools import partial
from importlib import metadata

import minidl
from minidl import Config
from minidl.Backend.Cpu import HostCompiler

install = f"{sys.executable} -m pip install"

required = {"numpy": "numpy", "h5py": "h5py", "scipy-openblas32": "scipy_openblas32"}
optional = {"tqdm": "progress bars", "matplotlib": "plots"}


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
    folder = HostCompiler.namedFolder()
    reason = HostCompiler.whyUnfit(folder)
    if reason is not None:
        raise RuntimeError(
            f"the cache folder {folder} {reason}, so each process compiles its kernels anew; "
            f"MINIDL_CACHE can name another")

    sizes = [path.stat().st_size for path in folder.glob("*.so")]
    return f"{folder}: {len(sizes)} libraries, {sum(sizes) / 2**20:.1f} MiB"


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
    path = HostCompiler.cacheFolder() / f"Doctor-{os.getpid()}.so"
    start = time.perf_counter()
    try:
        HostCompiler.build("Doctor", text, [*HostCompiler.compiler(), *HostCompiler.flags], path)
        duration = time.perf_counter() - start
        result = ctypes.CDLL(str(path)).minidlTwice(21)
    finally:
        path.unlink(missing_ok=True)
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
