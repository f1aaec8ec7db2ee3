"""
Gives a machine that has an NVIDIA driver all that minidl needs to compute on its GPU:
`python -m minidl cuda-setup`.

Each step looks first and says what it finds: what is fine is left alone, so a second run takes
seconds. Packages go into the environment of the Python that runs this, and nowhere else.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from minidl import CudaPackages, PyCudaBuild
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Driver, Toolkit

kernel = """
import numpy as np
from minidl.Backend import Device, SourceModule, gpuarray
from minidl.Backend.Ops import MatMul

text = "__global__ void twice(float *x) { x[blockIdx.x * blockDim.x + threadIdx.x] *= 2; }"
x = gpuarray.to_gpu(np.arange(1024, dtype=np.float32))
SourceModule(text).get_function("twice")(x, block=(256, 1, 1), grid=(4, 1))
assert (x.get() == 2 * np.arange(1024)).all(), "the kernel's numbers are wrong"

a = np.arange(1200, dtype=np.float32).reshape(30, 40) % 7  # whole numbers: no rounding anywhere
b = np.arange(2000, dtype=np.float32).reshape(40, 50) % 5
product = MatMul.matMul(gpuarray.to_gpu(a), gpuarray.to_gpu(b)).get()
assert (product == a @ b).all(), "the product's numbers are wrong"
print(Device.current().describe())
"""


class SetupError(RuntimeError):
    """A step that cannot be done; the message says what, why and the remedy."""


def run(options):
    """Does all steps; returns the exit code."""
    print(f"Setting up minidl's GPU backend for {sys.executable}\n")
    try:
        Setup(options).run()
    except (SetupError, PyCudaBuild.BuildError, HostCompiler.CompilerError) as error:
        print(f"\ncuda-setup cannot go on: {error}")
        return 1
    return 0


class Setup:
    """
    The steps, in the order in which they need each other; what only a person can set right is
    looked at before anything is installed.

    Args:
        options: `check`, `companions`, `findLinks`, `driver`, as in `__main__.py`.
    """

    def __init__(self, options):
        self.options = options
        self.sources = []
        if options.findLinks is not None:
            folder = Path(options.findLinks).expanduser().absolute()
            if not folder.is_dir():
                raise SetupError(f"--find-links names {folder}, which is no folder")
            self.sources = ["--no-index", "--find-links", str(folder)]

    def run(self):
        self.checkDriver()
        self.checkPython()
        self.checkCompiler()
        self.installToolkit()
        self.installPyCuda()
        if self.options.companions:
            self.installCompanions()
        self.runKernel()

    def checkDriver(self):
        """Finds `version`, the driver's (major, minor) of CUDA, and the GPUs' `capabilities`."""
        self.capabilities = []
        if self.options.driver is not None:
            self.version = self.options.driver
            say("driver", "CUDA {}.{}, as you say: nothing will run".format(*self.version))
            return

        library = Toolkit.driverLibrary()
        if library is None:
            raise SetupError(
                "there is no NVIDIA driver on this machine (libcuda.so.1 is not found). It belongs "
                "to the operating system, not to Python: see https://www.nvidia.com/drivers, or "
                "start a container with its GPUs (docker run --gpus all). To prepare a machine "
                "without one, a container's image say: --driver 13.0")
        told = Driver.ask(library)
        if told["error"] is not None:
            raise SetupError(
                f"{told['error']} ({library}). Does nvidia-smi list a GPU? If not, its driver is "
                f"to be set right first")
        self.version = tuple(told["version"])
        self.capabilities = [tuple(gpu["capability"]) for gpu in told["gpus"]]
        gpus = ", ".join(gpu["name"] for gpu in told["gpus"])
        say("driver", "CUDA {}.{}: ".format(*self.version) + gpus)

    def checkPython(self):
        if CudaPackages.installed("pip") is None:
            raise SetupError(
                f"this Python has no pip, which installs packages: {sys.executable} -m ensurepip")
        marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
        if sys.prefix == sys.base_prefix and marker.exists():
            raise SetupError(
                f"{sys.executable} belongs to the operating system, which lets pip install nothing "
                f"into it. Make an environment first:\n"
                f"python3 -m venv .venv && . .venv/bin/activate && pip install minidl")

    def checkCompiler(self):
        try:
            command = HostCompiler.compiler()
        except HostCompiler.CompilerError:
            if os.environ.get("CXX"):
                raise
            command = None
        if command is None or "ziglang" in command:
            raise SetupError(
                "there is no g++ or clang++ on this machine. PyCUDA is built with it, and nvcc "
                "calls it for each kernel; the package ziglang serves neither. Debian, Ubuntu: "
                "apt install g++; Fedora, RHEL: dnf install gcc-c++")
        say("C++ compiler", shlex.join(command))

    def installToolkit(self):
        """nvcc compiles kernels, and PyCUDA is built with the headers."""
        self.pyCuda = self.findPyCuda()
        path, parts = self.nvcc(), None
        if path is None:
            parts = CudaPackages.compilerParts
        elif self.pyCuda is None and Toolkit.includeFolder() is None:
            parts = CudaPackages.headerParts

        if parts is not None:
            if self.version[0] < CudaPackages.oldestToolkit:
                raise SetupError(
                    "there is no whole CUDA toolkit on this machine, and PyPI has none for a "
                    "driver of CUDA {}.{}. Update the driver to one of CUDA {} (580 or later), or "
                    "install a toolkit: https://developer.nvidia.com/cuda-toolkit-archive".format(
                        *self.version, CudaPackages.oldestToolkit))
            say("CUDA toolkit", f"{self.verb()} from PyPI what this machine lacks of it: {parts}")
            self.pip(CudaPackages.toolkit(self.version, parts))
            if self.options.check:
                return
        if self.nvcc() is None:
            raise SetupError("PyPI's wheels are installed, but nvcc is not where they put it")
        self.checkNvcc(self.nvcc())
        say("nvcc", f"{Toolkit.nvccVersion(self.nvcc())}, {self.nvcc()}")

    def nvcc(self):
        try:
            return Toolkit.nvcc()
        except FileNotFoundError as error:
            raise SetupError(str(error)) from None

    def checkNvcc(self, path):
        """Refuses an nvcc whose kernels this driver, or one of the GPUs, does not take."""
        told = Toolkit.nvccVersion(path)
        if told is None:
            raise SetupError(
                f"{path} does not tell its version when called with --version, so it is no working "
                f"nvcc. MINIDL_NVCC can name another")
        if int(told.split(".")[0]) > self.version[0]:
            raise SetupError(
                "nvcc {} ({}) is newer than the driver, which knows CUDA {}.{} and does not load "
                "what it makes. Update the driver, or name an older nvcc by MINIDL_NVCC".format(
                    told, path, *self.version))
        known = Toolkit.architectures(path)
        for capability in self.capabilities:
            if known and capability < min(known):  # newer ones take what is made for older ones
                raise SetupError(
                    "nvcc {} ({}) no longer compiles for a GPU of compute capability {}.{}. "
                    "Install an older toolkit, and name its nvcc by MINIDL_NVCC if it is not the "
                    "first on PATH".format(told, path, *capability))

    def installPyCuda(self):
        if self.pyCuda is not None:
            say("PyCUDA", f"{self.pyCuda}, already here")
            return
        say("PyCUDA", f"{self.verb()} {PyCudaBuild.version}, built from its source without curand, "
                      f"which minidl does not need")
        if self.options.check:
            say("", shlex.join(["pip", "download", "--no-binary", "pycuda",
                                f"pycuda=={PyCudaBuild.version}", *PyCudaBuild.tools]))
            return
        with tempfile.TemporaryDirectory(prefix="minidl-") as folder, Progress() as progress:
            wheel = PyCudaBuild.provide(
                Toolkit.includeFolder(), Path(folder), self.sources, progress.tell)
            progress.close()
            self.pip(wheel)
            if self.findPyCuda() is None:  # one of the same version was there, but is of no use
                self.pip("--force-reinstall", "--no-deps", wheel)
        if self.findPyCuda() is None:
            raise SetupError(f"PyCUDA is installed, but importing it fails:\n{ending(importIt())}")

    def findPyCuda(self):
        """The version of the PyCUDA that is here and works, else None."""
        if self.options.driver is not None:  # without a driver it cannot be imported
            return CudaPackages.installed("pycuda")
        done = importIt()
        return None if done.returncode else done.stdout.split()[-1]

    def installCompanions(self):
        missing = CudaPackages.missing(self.version)
        if not missing:
            say("companions", f"{', '.join(CudaPackages.uses)}: already here")
            return
        what = " and ".join(dict.fromkeys(CudaPackages.uses[name] for name in missing))
        say("companions", f"{self.verb()} {', '.join(missing)}: {what} (all are 530 MB)")
        self.pip(*missing.values())

    def runKernel(self):
        if self.options.driver is not None:
            say("kernel", "none is run, since this machine has no driver")
            return
        if self.options.check:
            say("kernel", "would run one on the GPU")
            return
        done = call(kernel, MINIDL_BACKEND="cuda")
        if done.returncode:
            raise SetupError(
                f"everything is installed, but a kernel fails on the GPU:\n{ending(done)}\n"
                f"python -m minidl doctor may say more")
        say("kernel", f"right, on {done.stdout.splitlines()[-1]}")
        print("\nminidl computes on the GPU now, wherever MINIDL_BACKEND is not cpu")

    def verb(self):
        return "would install" if self.options.check else "installing"

    def pip(self, *packages):
        if self.options.check:
            say("", shlex.join(["pip", "install", *map(str, packages)]))
        else:
            PyCudaBuild.pip("install", *self.sources, *packages, watched=sys.stdout.isatty())
            Toolkit.forget()


class Progress:
    """A line that tells how far a long work is: rewritten on a terminal, else written once."""

    def __init__(self):
        self.watched = sys.stdout.isatty()
        self.last = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def tell(self, text):
        if self.watched:
            print(f"\r{'':<16}{text:<60}", end="", flush=True)
        self.last = text

    def close(self):
        if self.last is not None:
            print("\r" * self.watched + f"{'':<16}{self.last:<60}".rstrip())
        self.last = None


def say(name, text):
    print(f"{name:<16}{text}", flush=True)


def importIt():
    """Imports PyCUDA in a process of its own: this one may have begun before it was installed."""
    return call("import pycuda, pycuda.driver; print(pycuda.VERSION_TEXT)")


def call(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace")


def ending(done):
    """The last lines that a process has printed."""
    return "\n".join(done.stdout.strip().splitlines()[-5:])
