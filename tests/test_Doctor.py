import sys

import pytest

import minidl
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
        "-c", hiding.format(["ziglang"]), PATH=tmp_path, CXX=None, MINIDL_CACHE=tmp_path / "cache")

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
    code, lines, report = examine(*doctor, HOME=home, **environment)

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
    assert process.returncode == 0 and "doctor" in out

    process = start(None, "-m", "minidl")
    _, err = process.communicate()
    assert process.returncode == 2 and "COMMAND" in err

    process = start(None, "-m", "minidl", "--version")
    out, _ = process.communicate()
    assert process.returncode == 0 and out == f"minidl {minidl.__version__}\n"
