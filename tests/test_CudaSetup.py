import subprocess
import sys
from pathlib import Path

import pytest

from minidl import CudaPackages, CudaSetup, PyCudaBuild
from minidl.__main__ import main
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Driver, Toolkit

nvcc, headers = Path("/opt/cuda/bin/nvcc"), Path("/opt/cuda/include")
gpu = {"name": "Abacus", "memory": 1 << 34, "capability": [9, 0]}


class Machine:
    """What is there, and what pip and the processes that are started do to it."""

    def __init__(self):
        self.driver = "/lib/libcuda.so.1"
        self.told = {"version": [13, 1], "gpus": [gpu], "error": None}
        self.nvcc = self.headers = None
        self.version, self.architectures = "13.0.88", [(8, 0), (9, 0)]
        self.importable = False
        self.packages = {"pip": "26.0"}
        self.kernel = (0, "Abacus, 16 GiB")
        self.installed = []  # what pip was asked for
        self.built = 0

    def pip(self, *arguments, watched):
        packages = [str(word) for word in arguments[1:]]
        self.installed.append(" ".join(packages))
        for package in packages:
            if "nvcc" in package:
                self.nvcc = nvcc
            if "cudart" in package:
                self.headers = headers
            if package.endswith(".whl"):
                self.importable = True
            if "cublas" in package:
                self.packages.update({
                    "cuda-bindings": "13.0", "nvmath-python": "1.0", "nvidia-cublas": "13.1",
                    "nvidia-cuda-nvrtc": "13.0"})

    def provide(self, include, folder, sources, tell):
        assert include == headers
        self.built += 1
        tell("compiled 1 of 2 files")
        tell("compiled 2 of 2 files")
        return folder / "pycuda-2026.1.whl"

    def call(self, script, **environment):
        if script == CudaSetup.kernel:
            assert environment == {"MINIDL_BACKEND": "cuda"}
            code, text = self.kernel
        else:
            code, text = (0, "2026.1") if self.importable else (1, "ImportError: no pycuda")
        return subprocess.CompletedProcess([], code, text + "\n")


@pytest.fixture
def machine(monkeypatch):
    """A machine with nothing but a driver and a compiler."""
    it = Machine()
    monkeypatch.setattr(Toolkit, "driverLibrary", lambda: it.driver)
    monkeypatch.setattr(Driver, "ask", lambda library: it.told)
    monkeypatch.setattr(Toolkit, "nvcc", lambda: it.nvcc)
    monkeypatch.setattr(Toolkit, "includeFolder", lambda: it.headers)
    monkeypatch.setattr(Toolkit, "nvccVersion", lambda path: it.version)
    monkeypatch.setattr(Toolkit, "architectures", lambda path: it.architectures)
    monkeypatch.setattr(Toolkit, "linkerLibrary", lambda name: None)
    monkeypatch.setattr(Toolkit, "forget", lambda: None)
    monkeypatch.setattr(CudaPackages, "installed", lambda name: it.packages.get(name))
    monkeypatch.setattr(HostCompiler, "compiler", lambda: ["/usr/bin/g++"])
    monkeypatch.setattr(PyCudaBuild, "pip", it.pip)
    monkeypatch.setattr(PyCudaBuild, "provide", it.provide)
    monkeypatch.setattr(CudaSetup, "call", it.call)
    return it


def setup(capsys, *options):
    """(exit code, what it says)"""
    code = main(["cuda-setup", *options])
    return code, capsys.readouterr().out


def test_everything_is_installed_and_a_kernel_runs(machine, capsys):
    code, said = setup(capsys)

    assert code == 0
    assert machine.installed[0] == "cuda-toolkit[nvcc,crt,nvvm,cudart,cccl,profiler]>=13.0,<13.2"
    assert machine.built == 1 and machine.installed[1].endswith("pycuda-2026.1.whl")
    assert machine.installed[2] == (
        "nvmath-python cuda-bindings==13.* cuda-toolkit[cublas]>=13.0,<13.2 "
        "cuda-toolkit[nvrtc]>=13.0,<13.2")
    assert "CUDA 13.1: Abacus" in said and "compiled 2 of 2 files" in said
    assert "right, on Abacus, 16 GiB" in said
    assert said.endswith("minidl computes on the GPU now, wherever MINIDL_BACKEND is not cpu\n")


def test_second_run_installs_nothing(machine, capsys):
    setup(capsys)
    machine.installed.clear()
    code, said = setup(capsys)

    assert code == 0 and machine.installed == [] and machine.built == 1
    assert "nvcc            13.0.88, /opt/cuda/bin/nvcc\n" in said
    assert "PyCUDA          2026.1, already here\n" in said
    assert "cuda-bindings, nvidia-cuda-nvrtc: already here\n" in said
    assert "right, on Abacus" in said


def test_check_does_nothing(machine, capsys):
    code, said = setup(capsys, "--check")

    assert code == 0 and machine.installed == [] and machine.built == 0
    assert said.count("would install") == 3 and "would run one on the GPU" in said
    assert "pip install 'cuda-toolkit[nvcc,crt,nvvm,cudart,cccl,profiler]>=13.0,<13.2'" in said
    assert "pip download --no-binary pycuda pycuda==2026.1 'setuptools>=" in said


def test_toolkit_of_the_machine_is_used(machine, capsys):
    machine.nvcc, machine.headers = nvcc, headers
    code, _ = setup(capsys, "--no-companions")
    assert code == 0 and machine.built == 1 and len(machine.installed) == 1


def test_toolkit_without_headers_gets_them(machine, capsys):
    machine.nvcc = nvcc
    code, _ = setup(capsys, "--no-companions")
    assert code == 0 and machine.installed[0] == "cuda-toolkit[cudart,profiler]>=13.0,<13.2"


def test_headers_are_not_missed_where_pycuda_is(machine, capsys):
    machine.nvcc, machine.importable = nvcc, True
    code, _ = setup(capsys, "--no-companions")
    assert code == 0 and machine.installed == []


def test_machine_without_a_driver_is_prepared_for_one(machine, capsys):
    machine.driver, machine.packages["pycuda"] = None, "2026.1"
    code, said = setup(capsys, "--driver", "12.8", "--no-companions", "--check")
    assert code == 1 and "PyPI has none for a driver of CUDA 12.8" in said

    code, said = setup(capsys, "--driver", "13.0", "--no-companions")
    assert code == 0 and "none is run, since this machine has no driver" in said
    assert "2026.1, already here" in said


def test_packages_come_from_a_folder(machine, tmp_path, capsys):
    code, _ = setup(capsys, "--find-links", str(tmp_path))
    assert code == 0 and len(machine.installed) == 3
    source = f"--no-index --find-links {tmp_path} "
    assert all(call.startswith(source) for call in machine.installed)

    code, said = setup(capsys, "--find-links", str(tmp_path / "none"))
    assert code == 1 and "none, which is no folder" in said


def refuse(**changes):
    return pytest.param(changes.pop("says"), changes, id=changes.pop("name"))


@pytest.mark.parametrize("says, changes", [
    refuse(name="no driver", driver=None, says="there is no NVIDIA driver on this machine"),
    refuse(name="no GPU", told=Driver.nothing("no device is there"),
           says="no device is there (/lib/libcuda.so.1). Does nvidia-smi list a GPU?"),
    refuse(name="old driver", told={"version": [12, 4], "gpus": [gpu], "error": None},
           says="Update the driver to one of CUDA 13 (580 or later), or install a toolkit"),
    refuse(name="new nvcc", nvcc=nvcc, headers=headers, version="14.0.1",
           says="is newer than the driver, which knows CUDA 13.1"),
    refuse(name="no nvcc", nvcc=nvcc, headers=headers, version=None,
           says="so it is no working nvcc"),
    refuse(name="old GPU", nvcc=nvcc, headers=headers, architectures=[(10, 0), (12, 0)],
           says="no longer compiles for a GPU of compute capability 9.0")])
def test_machine_that_cannot_be_set_up_is_left_as_it_is(says, changes, machine, capsys):
    vars(machine).update(changes)
    code, said = setup(capsys)
    assert code == 1 and "\ncuda-setup cannot go on: " in said and says in said
    assert machine.installed == [] and machine.built == 0


def test_package_compiler_is_not_enough(machine, monkeypatch, capsys):
    monkeypatch.setattr(HostCompiler, "compiler", lambda: [sys.executable, "-m", "ziglang", "cc"])
    code, said = setup(capsys)
    assert code == 1 and "apt install g++" in said and machine.installed == []


def test_no_compiler_at_all_is_told(machine, monkeypatch, capsys):
    def compiler():
        raise HostCompiler.CompilerError("CXX names abacus, or: pip install ziglang")

    monkeypatch.setattr(HostCompiler, "compiler", compiler)
    monkeypatch.delenv("CXX", raising=False)
    code, said = setup(capsys)
    assert code == 1 and "apt install g++" in said and "ziglang serves neither" in said

    monkeypatch.setenv("CXX", "abacus")
    code, said = setup(capsys)
    assert code == 1 and "cannot go on: CXX names abacus" in said


def test_python_of_the_system_is_left_alone(machine, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(CudaSetup.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    code, said = setup(capsys)
    assert code == 1 and "python3 -m venv .venv" in said and machine.installed == []


def test_python_without_pip_is_told(machine, capsys):
    machine.packages.clear()
    code, said = setup(capsys)
    assert code == 1 and "-m ensurepip" in said


def test_kernel_that_fails_is_a_failure(machine, capsys):
    machine.kernel = (1, "Traceback\n" * 9 + "CudaError: out of order")
    code, said = setup(capsys)
    assert code == 1 and "a kernel fails on the GPU" in said and "CudaError: out of order" in said
    assert said.count("Traceback") == 4


def test_pycuda_that_is_of_no_use_is_replaced(machine, monkeypatch, capsys):
    """pip leaves one of the same version alone unless it is forced."""
    ordinary = machine.pip

    def pip(*arguments, **options):
        ordinary(*arguments, **options)
        machine.importable = "--force-reinstall" in arguments

    monkeypatch.setattr(PyCudaBuild, "pip", pip)
    machine.nvcc, machine.headers = nvcc, headers
    code, _ = setup(capsys, "--no-companions")
    assert code == 0 and machine.installed[1].startswith("--force-reinstall --no-deps")

    monkeypatch.setattr(PyCudaBuild, "pip", lambda *arguments, **options: None)
    machine.importable = False
    code, said = setup(capsys, "--no-companions")
    assert code == 1 and "importing it fails:\nImportError: no pycuda" in said


def test_building_and_installing_errors_end_it(machine, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise PyCudaBuild.BuildError("pip failed: no network")

    monkeypatch.setattr(PyCudaBuild, "pip", fail)
    code, said = setup(capsys)
    assert code == 1 and "cannot go on: pip failed: no network" in said


@pytest.mark.parametrize("word", ["13", "x.y", "13.0.1"])
def test_version_that_is_none_is_refused(word, capsys):
    with pytest.raises(SystemExit):
        main(["cuda-setup", "--driver", word])
    assert "--driver" in capsys.readouterr().err
