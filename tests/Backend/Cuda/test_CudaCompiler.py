"""GPU code in the cache: made once, and anew when anything changes that it depends on."""

import ctypes
import os
import sys
import types

import pytest

import minidl
from minidl import Config
from minidl.Backend import KernelCache
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import CudaCompiler, Toolkit
from tests.Processes import start

pytestmark = pytest.mark.anyDevice
text = "__global__ void answer(int *x) { *x = 42; }"


def makeNvcc(path, log, delay=0):
    """A program that makes of a text the text itself, and lists its calls."""
    path.write_text(f"""#!/bin/sh
echo "$@" >> {log}
sleep {delay}
case "$*" in
*--preprocess*)
    cat > {path}.in
    cat {path}.in $(grep -o '"[^"]*"' {path}.in | tr -d '"') ;;
*refused*) echo "kernel.cu(1): error: refused" >&2; exit 2 ;;
*) while [ "$1" != -o ]; do shift; done; cat "$3" > "$2" ;;
esac
""")
    path.chmod(0o755)
    return path


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A function that lists the calls of an nvcc of this test's own, with a cache of its own."""
    log = tmp_path / "log"
    monkeypatch.setattr(Config, "cacheFolder", str(tmp_path / "cache"))
    monkeypatch.setenv("MINIDL_NVCC", str(makeNvcc(tmp_path / "nvcc", log)))
    KernelCache.cacheFolder.cache_clear()
    Toolkit.forget()
    yield lambda: log.read_text().splitlines() if log.exists() else []
    monkeypatch.undo()
    KernelCache.cacheFolder.cache_clear()
    Toolkit.forget()


def test_text_is_compiled_once(calls):
    assert not CudaCompiler.isCached("Answer", text, "sm_90")
    for _ in range(3):
        assert CudaCompiler.cubin("Answer", text, "sm_90").decode() == text
    assert CudaCompiler.isCached("Answer", text, "sm_90")
    call, = calls()
    assert "--cubin -arch=sm_90" in call


def damaged(content):
    yield content[:-1000]
    yield b""
    yield content[:len(content) // 2]
    yield content[:5] + bytes([content[5] ^ 1]) + content[6:]
    yield content + b"x"


def test_damaged_code_is_made_anew(calls):
    CudaCompiler.cubin("Answer", text, "sm_90")
    path, = KernelCache.cacheFolder().glob("*.cubin")
    whole = path.read_bytes()
    for number, content in enumerate(damaged(whole), 2):
        path.write_bytes(content)
        assert CudaCompiler.cubin("Answer", text, "sm_90").decode() == text
        assert len(calls()) == number and path.read_bytes() == whole


def test_everything_that_matters_is_in_the_key(calls, tmp_path, monkeypatch):
    header = tmp_path / "words.h"
    header.write_text("int first;")
    including = f'#include "{header}"\n{text}'
    place = lambda text=text, architecture="sm_90", options=(), nvcc=None: \
        CudaCompiler.place("Answer", text, architecture, options, nvcc)
    seen = {place(), place(text=text + " "), place(architecture="sm_80"), place(options=("-O1",)),
            place(text=including)}
    assert len(seen) == 5 and place() in seen

    header.write_text("int second;")
    seen.add(place(text=including))
    seen.add(place(nvcc=makeNvcc(tmp_path / "other", tmp_path / "log", 1)))
    with monkeypatch.context() as patch:
        patch.setattr(minidl, "__version__", "99.0.0")
        seen.add(place())
    os.utime(tmp_path / "nvcc", (1, 1))  # a newer program in its place
    seen.add(place())
    assert len(seen) == 9


def test_nothing_else_is_in_the_key(calls, tmp_path, monkeypatch):
    first = CudaCompiler.place("Answer", text, "sm_90", (), None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert CudaCompiler.place("Answer", text, "sm_90", (), None) == first


def test_refused_text_shows_command_and_words(calls, tmp_path):
    with pytest.raises(CompilerError) as caught:
        CudaCompiler.cubin("refused", text, "sm_90")
    words = str(caught.value)
    assert "nvcc cannot compile refused:" in words and "error: refused" in words
    assert f"{tmp_path / 'nvcc'} --cubin" in words
    assert not list(KernelCache.cacheFolder().glob("*.cubin"))
    assert not list(KernelCache.cacheFolder().glob("*.build-*"))


def test_without_nvcc_the_error_names_the_remedy(calls, monkeypatch):
    monkeypatch.setattr(Toolkit, "nvcc", lambda: None)
    monkeypatch.setattr(CudaCompiler, "hasNvrtc", lambda: False)
    with pytest.raises(CompilerError, match="python -m minidl cuda-setup installs one"):
        CudaCompiler.cubin("Answer", text, "sm_90")


def test_many_processes_on_a_cold_cache_compile_each_kernel_once(tmp_path):
    log = tmp_path / "log"
    nvcc = makeNvcc(tmp_path / "nvcc", log, delay=0.2)
    script = f"""
from minidl.Backend.Cuda import CudaCompiler
for number in range(5):
    source = {text!r} + str(number)
    assert CudaCompiler.cubin("Answer", source, "sm_90").decode() == source
"""
    processes = [
        start(script, MINIDL_NVCC=nvcc, MINIDL_CACHE=tmp_path / "cache") for _ in range(8)]
    for process in processes:
        assert (*process.communicate(), process.returncode) == ("", "", 0)
    assert len(log.read_text().splitlines()) == 5


# NVIDIA's compiler as a library

class Results:
    NVRTC_SUCCESS, NVRTC_ERROR_COMPILATION = 0, 6


class Library(types.ModuleType):
    """A cuda.bindings.nvrtc that makes of a text the text itself, or refuses all."""

    nvrtcResult = Results

    def __init__(self, refusal=b""):
        super().__init__("cuda.bindings.nvrtc")
        self.refusal, self.programs = refusal, []

    def nvrtcVersion(self):
        return 0, 13, 0

    def nvrtcCreateProgram(self, text, name, number, headers, names):
        self.programs.append(text)
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
        return 0,


def fill(target, content):
    """Writes into bytes, as the real library does."""
    assert len(target) == len(content)
    ctypes.memmove(target, content, len(content))


@pytest.fixture
def nvrtc(calls, monkeypatch):
    """A function that puts such a library in the place of the real one."""
    monkeypatch.delenv("MINIDL_NVCC")
    monkeypatch.setattr(CudaCompiler, "hasNvrtc", lambda: True)
    monkeypatch.setattr(CudaCompiler.metadata, "version", lambda name: "13.0")

    def put(made):
        bindings = types.ModuleType("cuda.bindings")
        bindings.nvrtc = made
        monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
        monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", made)

    return put


def test_library_is_taken_where_there_is_one(nvrtc, calls):
    nvrtc(Library())
    for _ in range(2):
        assert CudaCompiler.cubin("Answer", text, "sm_90").decode() == text
    assert not calls()


def test_what_the_library_cannot_do_is_nvccs(nvrtc, calls, monkeypatch, tmp_path):
    nvrtc(Library())
    monkeypatch.setattr(Toolkit, "nvcc", lambda: tmp_path / "nvcc")
    header = tmp_path / "words.h"
    header.write_text("int first;")
    CudaCompiler.cubin("Answer", text, "sm_90", ["-lineinfo"])
    CudaCompiler.cubin("Answer", f'#include "{header}"\n' + text, "sm_90")
    CudaCompiler.cubin("Answer", text, "sm_90", nvcc=tmp_path / "nvcc")
    monkeypatch.setenv("MINIDL_NVCC", str(tmp_path / "nvcc"))  # the user's own choice
    CudaCompiler.cubin("Answer", text + " ", "sm_90")
    assert sum("--cubin" in call for call in calls()) == 4


def test_librarys_refusal_shows_its_words(nvrtc):
    nvrtc(Library(b"kernel.cu(1): error: no such thing\0"))
    with pytest.raises(CompilerError, match="nvrtc cannot compile Answer:\nkernel.cu.*: no"):
        CudaCompiler.cubin("Answer", text, "sm_90")
