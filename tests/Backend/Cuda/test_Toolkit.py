import sys

import pytest

from minidl.Backend.Cuda import Toolkit

pytestmark = pytest.mark.anyDevice

wheelFolders = Toolkit.wheelFolders
header = "#define CUDA_VERSION {}\n"


@pytest.fixture(autouse=True)
def emptyMachine(tmp_path, monkeypatch):
    """A machine without anything of CUDA, whose PATH is the folder `path`."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    for name in ("MINIDL_NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)
    usual = f"{tmp_path}/opt/cuda"
    monkeypatch.setattr(Toolkit, "toolkitFolders", (usual, f"{usual}-*"))
    monkeypatch.setattr(Toolkit, "driverFolders", (f"{tmp_path}/driver",))
    monkeypatch.setattr(Toolkit, "wheelFolders", lambda: Toolkit.newestFirst(
        (tmp_path / "wheels").glob("cu*")))
    Toolkit.forget()
    yield
    Toolkit.forget()


def script(path, text="", mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def headers(folder, number=13000, names=("cuda.h", "cudaProfiler.h")):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(header.format(number))
    return folder


def test_machine_without_cuda_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(Toolkit, "hasHeaders", lambda folder: False)
    assert Toolkit.nvcc() is None and Toolkit.root() is None and Toolkit.includeFolder() is None


def test_first_of_the_places_is_taken(tmp_path, monkeypatch):
    """Each place, from the last in order to the first, hides those before."""
    wheel = script(tmp_path / "wheels/cu13/bin/nvcc")
    script(tmp_path / "wheels/cu9/bin/nvcc")
    assert Toolkit.nvcc() == wheel

    for place in ("opt/cuda-9.2", "opt/cuda-13.1", "opt/cuda"):
        program = script(tmp_path / place / "bin/nvcc")
        Toolkit.forget()
        assert Toolkit.nvcc() == program

    program = script(tmp_path / "path/nvcc")
    Toolkit.forget()
    assert Toolkit.nvcc() == program

    for name in ("CUDA_ROOT", "CUDA_PATH", "CUDA_HOME"):
        program = script(tmp_path / name / "bin/nvcc")
        monkeypatch.setenv(name, str(tmp_path / name))
        Toolkit.forget()
        assert Toolkit.nvcc() == program

    program = script(tmp_path / "mine")
    monkeypatch.setenv("MINIDL_NVCC", str(program))
    Toolkit.forget()
    assert Toolkit.nvcc() == program


def test_named_nvcc_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv("MINIDL_NVCC", "/nowhere/nvcc")
    with pytest.raises(FileNotFoundError, match="MINIDL_NVCC names /nowhere/nvcc, which is no"):
        Toolkit.nvcc()


def test_folder_without_an_nvcc_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "opt/cuda/bin").mkdir(parents=True)
    script(tmp_path / "opt/cuda-13.0/bin/nvcc", mode=0o644)
    wheel = script(tmp_path / "wheels/cu13/bin/nvcc")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "none"))
    assert Toolkit.nvcc() == wheel


def test_wheels_lie_among_the_packages_the_newest_first(tmp_path, monkeypatch):
    for name in ("cu12", "cu13", "cuda_runtime"):
        (tmp_path / "nvidia" / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    found = wheelFolders()
    assert found.index(tmp_path / "nvidia/cu13") < found.index(tmp_path / "nvidia/cu12")
    assert tmp_path / "nvidia/cuda_runtime" not in found


def test_programs_of_wheels_may_be_run(tmp_path):
    root = tmp_path / "wheels/cu13"
    programs = [script(root / name, mode=0o644) for name in (
        "bin/nvcc", "bin/ptxas", "bin/cudafe++", "nvvm/bin/cicc")]
    profile = script(root / "bin/nvcc.profile", mode=0o644)

    assert Toolkit.nvcc() == programs[0]
    assert all(program.stat().st_mode & 0o555 == 0o555 for program in programs)
    assert not profile.stat().st_mode & 0o111


def test_root_is_what_nvcc_tells_not_where_a_script_of_that_name_lies(tmp_path):
    (tmp_path / "toolkit/bin").mkdir(parents=True)
    script(tmp_path / "path/nvcc", f"echo '#$ _SPACE_= '; echo '#$ TOP={tmp_path}/toolkit/bin/..'")
    assert Toolkit.root() == tmp_path / "toolkit"


def test_root_of_a_silent_nvcc_is_where_its_file_lies(tmp_path):
    program = script(tmp_path / "toolkit/bin/nvcc")
    (tmp_path / "path/nvcc").symlink_to(program)
    assert Toolkit.root() == tmp_path / "toolkit"


@pytest.mark.parametrize("place", ["include", "targets/x86_64-linux/include"])
def test_headers_of_the_toolkit_are_found(place, tmp_path):
    script(tmp_path / "opt/cuda/bin/nvcc")
    folder = headers(tmp_path / "opt/cuda" / place, 12080)
    headers(tmp_path / "wheels/cu13/include")
    assert Toolkit.includeFolder() == folder and Toolkit.headerVersion(folder) == (12, 8)


def test_headers_of_wheels_serve_a_toolkit_that_has_not_all(tmp_path):
    script(tmp_path / "opt/cuda/bin/nvcc")
    headers(tmp_path / "opt/cuda/include", names=["cuda.h"])
    folder = headers(tmp_path / "wheels/cu13/include")
    assert Toolkit.includeFolder() == folder


def test_header_without_a_version_has_none(tmp_path):
    assert Toolkit.headerVersion(tmp_path) is None
    (tmp_path / "cuda.h").write_text("nothing")
    Toolkit.forget()
    assert Toolkit.headerVersion(tmp_path) is None


def test_version_and_architectures_are_what_nvcc_says(tmp_path):
    program = script(tmp_path / "nvcc", """
        [ "$1" = --version ] && echo 'Cuda compilation tools, release 13.0, V13.0.88'
        [ "$1" = --list-gpu-arch ] && printf 'compute_75\\ncompute_90\\ncompute_121\\n'""")
    assert Toolkit.nvccVersion(program) == "13.0.88"
    assert Toolkit.architectures(program) == [(7, 5), (9, 0), (12, 1)]

    silent = script(tmp_path / "silent", "exit 1")
    assert Toolkit.nvccVersion(silent) is None and Toolkit.architectures(silent) == []
    assert Toolkit.nvccVersion(tmp_path / "none") is None


def test_driver_is_found_where_the_loader_looks(tmp_path, monkeypatch):
    listed = [tmp_path / name / "libcuda.so.1" for name in ("lib32", "lib64")]
    script(tmp_path / "path/ldconfig", f"""
        echo '	libcuda.so.1 (libc6) => {listed[0]}'
        echo '	libcuda.so.1.1 (libc6,x86-64) => /none'
        echo '	libcuda.so.1 (libc6,x86-64) => {listed[1]}'""")
    assert Toolkit.driverLibrary() == listed[1]

    named = script(tmp_path / "named/libcuda.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/none::{named.parent}")
    Toolkit.forget()
    assert Toolkit.driverLibrary() == named


def test_driver_is_found_where_the_loader_does_not_look(tmp_path):
    script(tmp_path / "path/ldconfig")
    assert Toolkit.driverLibrary() is None

    library = script(tmp_path / "driver/libcuda.so.1")
    Toolkit.forget()
    assert Toolkit.driverLibrary() == library
