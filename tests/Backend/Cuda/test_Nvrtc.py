"""NVIDIA's compiler as a library: what is left to it, and who takes over where it fails."""

import ctypes
import sys
import types

import pytest

from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import CudaCompiler, Toolkit

pytestmark = pytest.mark.anyDevice
text = "__global__ void answer(int *x) { *x = 42; }"


class Results:
    NVRTC_SUCCESS, NVRTC_ERROR_OUT_OF_MEMORY, NVRTC_ERROR_COMPILATION = 0, 1, 6


class Library(types.ModuleType):
    """A cuda.bindings.nvrtc that makes of a text the text itself, or refuses all."""

    nvrtcResult = Results

    def __init__(self, refusal=b"", creates=True):
        super().__init__("cuda.bindings.nvrtc")
        self.refusal, self.creates, self.programs, self.alive = refusal, creates, [], 0

    def nvrtcVersion(self):
        return 0, 13, 0

    def nvrtcCreateProgram(self, text, name, number, headers, names):
        if not self.creates:
            return Results.NVRTC_ERROR_OUT_OF_MEMORY, 0
        self.programs.append(text)
        self.alive += 1
        return 0, len(self.programs) - 1

    def nvrtcCompileProgram(self, program, number, options):
        assert number == len(options) and options == [b"-arch=sm_90"]
        return Results.NVRTC_ERROR_COMPILATION if self.refusal else 0,

    def nvrtcGetProgramLogSize(self, program):
        return 0, len(self.refusal)

    def nvrtcGetProgramLog(self, program, log):
        fill(log, self.refusal)

    def nvrtcGetCUBINSize(self, program):
        return 0, len(self.programs[program])

    def nvrtcGetCUBIN(self, program, code):
        fill(code, self.programs[program])

    def nvrtcDestroyProgram(self, program):
        self.alive -= 1
        return 0,


def fill(target, content):
    """Writes into bytes, as the real library does."""
    assert len(target) >= max(2, len(content)), "Python has only one of each that is shorter"
    ctypes.memmove(target, content, len(content))


@pytest.fixture
def nvrtc(calls, monkeypatch):
    """A function that puts such a library in the place of the real one; there is no nvcc."""
    monkeypatch.delenv("MINIDL_NVCC")
    monkeypatch.setattr(Toolkit, "nvcc", lambda: None)
    monkeypatch.setattr(CudaCompiler, "hasNvrtc", lambda: True)
    monkeypatch.setattr(CudaCompiler.metadata, "version", lambda name: "13.0")

    def put(made):
        bindings = types.ModuleType("cuda.bindings")
        bindings.nvrtc = made
        monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
        monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", made)
        return made

    return put


def test_library_is_taken_where_there_is_one(nvrtc, calls):
    library = nvrtc(Library())
    for _ in range(2):
        assert CudaCompiler.cubin("Answer", text, "sm_90").decode() == text
    assert not calls() and library.alive == 0


def test_users_texts_are_nvccs(nvrtc, calls, monkeypatch, tmp_path):
    nvrtc(Library())
    monkeypatch.setattr(Toolkit, "nvcc", lambda: tmp_path / "nvcc")
    CudaCompiler.cubin("SourceModule", text, "sm_90", own=False)
    monkeypatch.setenv("MINIDL_NVCC", str(tmp_path / "nvcc"))  # the user's own choice
    CudaCompiler.cubin("Answer", text, "sm_90")
    assert sum("--cubin" in call for call in calls()) == 2


@pytest.mark.parametrize("refusal", [b"kernel.cu(1): error: no such thing\0", b"\0"])
def test_librarys_refusal_shows_its_words(nvrtc, refusal):
    library = nvrtc(Library(refusal))
    words = refusal[:-1].decode().replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(CompilerError, match=f"nvrtc cannot compile Answer: 6\n{words}$"):
        CudaCompiler.cubin("Answer", text, "sm_90")
    assert library.alive == 0


def test_library_that_does_not_begin_is_an_error(nvrtc):
    nvrtc(Library(creates=False))
    with pytest.raises(CompilerError, match="nvrtc cannot compile Answer: 1$"):
        CudaCompiler.cubin("Answer", text, "sm_90")


def test_what_the_library_refuses_nvcc_compiles_once(nvrtc, calls, monkeypatch, tmp_path):
    library = nvrtc(Library(b"invalid value for --gpu-architecture (-arch)\0"))
    monkeypatch.setattr(Toolkit, "nvcc", lambda: tmp_path / "nvcc")
    for _ in range(2):
        assert CudaCompiler.cubin("Answer", text, "sm_90").decode() == text
    assert CudaCompiler.isCached("Answer", text, "sm_90")
    assert len(calls()) == len(library.programs) == 1
