"""The stand-in for nvcc: its command line, what it says of errors, and how texts are read."""

import subprocess

import pytest

from minidl.Backend.Cpu import HostCompiler
from tests.hostcuda import Build

pytestmark = pytest.mark.skipif(
    "ziglang" in HostCompiler.compiler(), reason="zig has no library of C++ at hand")


@pytest.fixture(scope="module")
def nvcc(tmp_path_factory):
    path = tmp_path_factory.mktemp("nvcc") / "nvcc"
    Build.makeNvcc(path)
    return path


@pytest.fixture
def call(nvcc, tmp_path):
    def call(*words, text="", code=0):
        (tmp_path / "kernel.cu").write_text(text)
        done = subprocess.run(
            [nvcc, *words], cwd=tmp_path, input=text, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr
    return call


axpy = """extern "C" {
__global__ void axpy(float *y, const float *x, float a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += SCALE * a * x[i];
}
}
"""


@pytest.mark.parametrize("words, made", [
    ("--cubin -arch sm_80 -D SCALE=2 kernel.cu", "kernel.cubin"),
    ("-cubin -arch=sm_90 -code sm_90 -DSCALE=2 -I/tmp -O3 -lineinfo --keep -o other kernel.cu",
     "other"),
    ("--cubin --gpu-architecture=sm_80 --define-macro SCALE=2 --use_fast_math -std=c++17 "
     "-Xptxas -v --compiler-options -Wall --output-file=other -", "other"),
    ("--fatbin -G -DSCALE=2 kernel.cu", "kernel.fatbin")])
def test_command_lines(call, tmp_path, words, made):
    assert call(*words.split(), text=axpy) == ""
    assert (tmp_path / made).read_bytes().startswith(b"\x7fELF")


def test_errors_have_their_line(call):
    told = call("--cubin", "kernel.cu", text=axpy, code=1)
    assert "kernel.cu:5:" in told and "SCALE" in told
    assert "cubins" in call("--ptx", "kernel.cu", code=1)
    assert "cubins" in call(code=1)


def test_version_changes_with_the_headers(call, monkeypatch):
    before = call("--version")
    assert before == call("-V") and "stand-in" in before
    monkeypatch.setenv("CXX", "g++ -O1" if "-O1" not in before else "g++")
    assert call("--version") != before


def test_preprocessing(call):
    text = """
#include <pycuda-complex.hpp>
#include <cuda_runtime.h>
#include <cstdint>
#define TWICE(x) (2 * (x))
#if defined(__NVCC__) || defined(__CUDACC_RTC__) || !defined(__CUDACC__)
#error this is no host compiler
#endif
int y = TWICE(SCALE);
"""
    assert call("--preprocess", "-DSCALE=7", "kernel.cu", "--compiler-options", "-P", text=text) \
        .endswith("int y = (2 * (7));\n")
    assert "(2 * (7))" in call("-E", "-DSCALE=7", "-x", "cu", "-", text=text)
