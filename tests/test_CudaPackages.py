import re
from pathlib import Path

import pytest

from minidl import CudaPackages
from minidl.Backend.Cuda import Toolkit

root = Path(__file__).parents[1]


@pytest.fixture
def machine(monkeypatch):
    """{package: version} of what is installed, and the names of the machine's libraries."""
    packages, libraries = {}, set()
    monkeypatch.setattr(CudaPackages, "installed", packages.get)
    monkeypatch.setattr(Toolkit, "linkerLibrary", lambda name: name in libraries)
    return packages, libraries


@pytest.mark.parametrize("version, wanted", [
    ((13, 0), "cuda-toolkit[nvcc]>=13.0,<13.1"),
    ((13, 2), "cuda-toolkit[nvcc]>=13.0,<13.3"),
    ((12, 4), "cuda-toolkit[nvcc]>=12.0,<12.5"),
    ((14, 1), "cuda-toolkit[nvcc]==13.*")])
def test_toolkit_is_no_newer_than_the_driver(version, wanted):
    assert CudaPackages.toolkit(version, "nvcc") == wanted


def test_extra_of_the_package_names_the_companions():
    words = re.search(r'"cuda": \[(.+)\]', (root / "setup.py").read_text())[1]
    wanted = CudaPackages.companions((CudaPackages.newestToolkit + 1, 0)).values()
    extra = words.replace("[cublas,nvrtc]==13.*", "[cublas]==13.*, cuda-toolkit[nvrtc]==13.*")
    assert re.sub('"', "", extra).split(", ") == list(wanted)


def test_companions_are_those_of_the_drivers_cuda(machine):
    packages, libraries = machine
    assert CudaPackages.missing((13, 0)).keys() == CudaPackages.uses.keys()
    assert CudaPackages.missing((12, 4))["cuda-bindings"] == "cuda-bindings==12.*"

    packages.update({
        "nvmath-python": "1.0.0", "cuda-bindings": "13.5.0", "nvidia-cublas": "13.1.0.3",
        "nvidia-cuda-nvrtc": "13.0.88"})
    assert CudaPackages.missing((13, 0)) == {}
    assert CudaPackages.missing((12, 4)).keys() == packages.keys() - {"nvmath-python"}

    packages.update({
        "cuda-bindings": "12.9.0", "nvidia-cublas-cu12": "12.1", "nvidia-cuda-nvrtc-cu12": "12.2"})
    assert CudaPackages.missing((12, 4)) == {}


def test_library_of_the_machines_toolkit_is_as_good(machine):
    _, libraries = machine
    libraries |= {"libcublasLt.so.13", "libnvrtc.so.12"}
    assert list(CudaPackages.missing((13, 0))) == [
        "nvmath-python", "cuda-bindings", "nvidia-cuda-nvrtc"]


def test_installed_package_has_a_version():
    assert CudaPackages.installed("numpy")[0].isdigit()
    assert CudaPackages.installed("no-such-package") is None
