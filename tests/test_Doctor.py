import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import minidl
from minidl import Config, CudaPackages, Doctor
from minidl.Backend.Cuda import Driver, Toolkit
from tests.Processes import compilerScript, start

doctor = "-m", "minidl", "doctor"

# Runs the doctor where the named packages cannot be imported.
hiding = """
import sys
from importlib import metadata
hidden, version = {0!r}, metadata.version
for module in hidden:
    sys.modules[module] = None
def visible(name):
    if name in hidden:
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = visible
from minidl.__main__ import main
sys.exit(main(["doctor"]))
"""


def examine(*arguments, **environment):
    """(exit code, the lines of the report by their name, the whole report)."""
    process = start(None, *arguments, **environment)
    report, err = process.communicate()
    assert err == ""
    lines = {line[:18].strip(): line[18:] for line in report.splitlines()}
    return process.returncode, lines, report


def test_all_is_well_here():
    code, lines, report = examine(*doctor, MINIDL_BACKEND="cpu", OMP_NUM_THREADS=2)

    assert code == 0 and report.rstrip().endswith("all is well")
    assert report.startswith(f"minidl {minidl.__version__}\n")
    assert sys.executable in lines["Python"]
    assert lines["backend"] == "CPU with 2 threads (Config.backend: cpu)"
    assert "libraries" in lines["cache folder"] and lines["compiler"]
    assert lines["numpy"][0].isdigit() and lines["h5py"][0].isdigit()
    assert lines["new kernel"].startswith("compiled in") and lines["new kernel"].endswith("right")
    assert lines["minidl's kernel"].endswith("right")


def test_no_compiler_is_a_problem_and_its_remedy_is_told(tmp_path):
    code, lines, report = examine(
        "-c", hiding.format(["ziglang"]), PATH=tmp_path, CXX=None, MINIDL_CACHE=tmp_path / "cache",
        MINIDL_BACKEND="cpu")

    assert code == 1 and "all is well" not in report
    assert lines["compiler"] == lines["new kernel"] == "see problem 1"
    assert "1 problem:\n  1. no C++ compiler on this machine" in report
    assert "pip install ziglang" in report


def test_compiler_that_cannot_compile_is_a_problem(tmp_path):
    compiler = compilerScript(tmp_path / "c++", 'echo "no space left" >&2; exit 1')
    code, _, report = examine(*doctor, CXX=compiler)
    assert code == 1 and "cannot compile" in report and "no space left" in report


@pytest.mark.parametrize("home", ["/proc", None])
def test_home_that_cannot_be_written_is_a_problem_only_for_the_cache(home, tmp_path):
    environment = {"XDG_CACHE_HOME": home or "/dev/null/none", "MINIDL_CACHE": None}
    code, lines, report = examine(*doctor, HOME=home, MINIDL_BACKEND="cpu", **environment)

    assert code == 1 and report.count("problem 1") == 1
    assert lines["cache folder"] == "see problem 1"
    assert "each process compiles its kernels anew; MINIDL_CACHE can name another" in report
    assert lines["minidl's kernel"].endswith("right")


@pytest.mark.parametrize("package, module", [
    ("numpy", "numpy"), ("h5py", "h5py"), ("scipy-openblas32", "scipy_openblas32")])
def test_missing_package_is_a_problem_with_the_command_that_installs_it(package, module):
    code, lines, report = examine("-c", hiding.format([package, module]))

    assert code == 1 and lines[package].startswith("see problem")
    assert f"{sys.executable} -m pip install {package}" in report


def test_missing_extras_are_no_problem():
    code, lines, report = examine("-c", hiding.format(["tqdm", "matplotlib"]))

    assert code == 0 and report.rstrip().endswith("all is well")
    assert lines["tqdm"] == f"not there; for progress bars: {sys.executable} -m pip install tqdm"
    assert lines["matplotlib"].startswith("not there; for plots")


def test_backend_that_cannot_be_had_is_a_problem():
    code, lines, report = examine(*doctor, MINIDL_BACKEND="abacus")
    assert code == 1 and lines["backend"] == "see problem 1"
    assert "must be auto, cuda or cpu, got abacus" in report


def test_commands_are_listed():
    process = start(None, "-m", "minidl", "--help")
    out, _ = process.communicate()
    assert process.returncode == 0 and "doctor" in out and "cuda-setup" in out

    process = start(None, "-m", "minidl")
    _, err = process.communicate()
    assert process.returncode == 2 and "COMMAND" in err

    process = start(None, "-m", "minidl", "--version")
    out, _ = process.communicate()
    assert process.returncode == 0 and out == f"minidl {minidl.__version__}\n"


@pytest.fixture
def cuda(monkeypatch):
    """What the machine's CUDA is: a driver with one GPU, a toolkit, PyCUDA and its companions."""
    gpu = {"name": "Abacus", "memory": 16 << 30, "capability": [9, 0]}
    it = SimpleNamespace(
        driver="/lib/libcuda.so.1", told={"version": [13, 0], "gpus": [gpu], "error": None},
        nvcc=Path("/opt/cuda/bin/nvcc"), headers=Path("/opt/cuda/include"), libraries=(),
        packages={"pycuda": "2026.1", "nvmath-python": "1.0", "cuda-bindings": "13.0",
                  "nvidia-cublas": "13.1", "nvidia-cuda-nvrtc": "13.0"})
    monkeypatch.setattr(Toolkit, "driverLibrary", lambda: it.driver)
    monkeypatch.setattr(Driver, "ask", lambda library: it.told)
    monkeypatch.setattr(Toolkit, "nvcc", lambda: it.nvcc)
    monkeypatch.setattr(Toolkit, "nvccVersion", lambda path: "13.0.88")
    monkeypatch.setattr(Toolkit, "includeFolder", lambda: it.headers)
    monkeypatch.setattr(Toolkit, "headerVersion", lambda folder: (13, 0))
    monkeypatch.setattr(Toolkit, "linkerLibrary", lambda name: name in it.libraries or None)
    monkeypatch.setattr(CudaPackages, "installed", lambda name: it.packages.get(name))
    monkeypatch.setattr(Config, "backend", "auto")
    return it


def examineCuda(capsys):
    """(exit code, the lines of the report by their name, the whole report)."""
    report = Doctor.Report()
    Doctor.examineCuda(report)
    code = report.close()
    text = capsys.readouterr().out
    return code, {line[:18].strip(): line[18:] for line in text.splitlines()}, text


def test_whole_cuda_is_reported(cuda, capsys):
    code, lines, _ = examineCuda(capsys)
    assert code == 0
    assert lines["NVIDIA driver"] == "CUDA 13.0, /lib/libcuda.so.1"
    assert lines["GPU 0"] == "Abacus, 16 GiB, compute capability 9.0"
    assert lines["nvcc"] == "13.0.88, /opt/cuda/bin/nvcc"
    assert lines["cuda.h"] == "13.0, /opt/cuda/include" and lines["PyCUDA"] == "2026.1"
    assert lines["nvmath-python"] == "1.0, for matrix products by cuBLASLt"
    assert lines["nvidia-cuda-nvrtc"].startswith("13.0, for kernels compiled")


def test_machine_without_an_nvidia_driver_lacks_nothing(cuda, capsys):
    cuda.driver = cuda.nvcc = None
    code, lines, report = examineCuda(capsys)
    assert code == 0 and "nvcc" not in lines and "cuda-setup" not in report
    assert lines["NVIDIA driver"] == "none: minidl computes on the CPU"


def test_driver_without_a_gpu_is_a_problem_only_for_who_wants_one(cuda, monkeypatch, capsys):
    cuda.told = Driver.nothing("the driver says: no device is there", [13, 0])
    code, lines, report = examineCuda(capsys)
    assert code == 0 and "nvcc" not in lines
    assert lines["NVIDIA driver"].endswith("no device is there: minidl computes on the CPU")

    monkeypatch.setattr(Config, "backend", "cuda")
    cuda.told = Driver.nothing("the driver crashed (SIGSEGV)")
    code, _, report = examineCuda(capsys)
    assert code == 1 and "the GPU cannot be used: the driver crashed (SIGSEGV)" in report


@pytest.mark.parametrize("name, changes", [
    ("nvcc", {"nvcc": None}), ("PyCUDA", {"packages": {}})])
def test_what_the_gpu_needs_is_a_problem_with_its_remedy(name, changes, cuda, monkeypatch, capsys):
    vars(cuda).update(changes)
    code, lines, report = examineCuda(capsys)
    assert code == 1 and lines[name] == "see problem 1"
    assert f"not all that it takes ({name})" in report
    assert report.rstrip().endswith(f"{sys.executable} -m minidl cuda-setup")

    monkeypatch.setattr(Config, "backend", "cpu")
    code, lines, _ = examineCuda(capsys)
    assert code == 0
    assert lines[name] == f"not there; for the GPU: {sys.executable} -m minidl cuda-setup"


def test_missing_companions_and_headers_are_no_problem(cuda, capsys):
    cuda.packages, cuda.headers = {"pycuda": "2026.1"}, None
    cuda.libraries = ["libcublasLt.so.13"]
    code, lines, _ = examineCuda(capsys)
    remedy = f"{sys.executable} -m minidl cuda-setup"
    assert code == 0
    assert lines["cuda.h"] == f"not there; for building PyCUDA: {remedy}"
    assert lines["cuda-bindings"] == (
        f"not there; for kernels compiled in a tenth of the time: {remedy}")
    assert lines["nvidia-cublas"] == "of the toolkit, for matrix products by cuBLASLt"


def test_named_nvcc_that_is_not_there_is_a_problem(cuda, monkeypatch, capsys):
    def nvcc():
        raise FileNotFoundError("MINIDL_NVCC names /none, which is no program on this machine")

    monkeypatch.setattr(Toolkit, "nvcc", nvcc)
    code, lines, report = examineCuda(capsys)
    assert code == 1 and lines["nvcc"] == "see problem 1" and "1. MINIDL_NVCC names /none" in report
