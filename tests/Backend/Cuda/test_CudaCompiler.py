"""GPU code in the cache: made once, and anew when anything changes that it depends on."""

import os

import pytest

import minidl
from minidl.Backend import KernelCache
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import CudaCompiler, Toolkit
from tests.Processes import start

pytestmark = pytest.mark.anyDevice
text = "__global__ void answer(int *x) { *x = 42; }"


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


def test_everything_that_matters_is_in_the_key(calls, makeNvcc, tmp_path, monkeypatch):
    header = tmp_path / "words.h"
    header.write_text("int first;")
    including = f'#include "{header}"\n{text}'
    place = lambda text=text, architecture="sm_90", options=(), nvcc=None: \
        CudaCompiler.place("Answer", text, architecture, options, nvcc)
    seen = {place(), place(text=text + " "), place(architecture="sm_80"), place(options=("-O1",)),
            place(text=including), place(text=f"#pragma once\n{including}")}
    assert len(seen) == 6 and place() in seen and place(text=including) in seen

    header.write_text("int second;")
    seen.add(place(text=including))
    seen.add(place(nvcc=makeNvcc("other", delay=1)))
    with monkeypatch.context() as patch:
        patch.setattr(minidl, "__version__", "99.0.0")
        seen.add(place())
    for name in CudaCompiler.variables:
        with monkeypatch.context() as patch:
            patch.setenv(name, "-use_fast_math")
            seen.add(place())
    os.utime(tmp_path / "nvcc", (1, 1))  # a newer program in its place
    seen.add(place())
    assert len(seen) == 12


def test_preprocessor_is_told_the_architecture(calls, tmp_path):
    (tmp_path / "words.h").write_text("int first;")
    CudaCompiler.place("Answer", f'#include "{tmp_path / "words.h"}"', "sm_90", ["-DX"], None)
    call, = calls()
    assert call.startswith("--preprocess -arch=sm_90 -DX")


def test_newer_program_behind_a_script_is_another_compiler(calls, tmp_path):
    real = tmp_path / "toolkit/bin/nvcc"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"\x7fELF first")
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho '#$ TOP={tmp_path}/toolkit/bin/..'\n")
    script.chmod(0o755)
    identity = lambda: CudaCompiler.nvccIdentity(script)
    first = identity()
    assert identity() == first and str(real) in first

    real.write_bytes(b"\x7fELF second")
    second = identity()
    script.write_text(script.read_text() + "# other options\n")
    assert len({first, second, identity()}) == 3


def test_program_itself_is_not_asked_what_lies_behind_it(tmp_path, monkeypatch):
    (tmp_path / "nvcc").write_bytes(b"\x7fELF")
    monkeypatch.setattr(Toolkit, "rootOf", None)
    assert str(tmp_path / "nvcc") in CudaCompiler.nvccIdentity(tmp_path / "nvcc")


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


@pytest.mark.parametrize("known, architecture, made", [
    ("75 80 90 100", "sm_103", "--cubin -arch=sm_100"),
    ("75 80 86 90", "sm_89", "--cubin -arch=sm_86"),
    ("75 80 90", "sm_130", "--ptx -arch=compute_90"),
    ("75 80 90 121", "sm_110", "--ptx -arch=compute_90"),
    ("80 86", "sm_87", "--ptx -arch=compute_86"),  # a board's GPU, and a card's
    ("75 87", "sm_89", "--ptx -arch=compute_87")])
def test_nvcc_older_than_the_gpu_makes_what_runs_on_it(
        calls, makeNvcc, tmp_path, known, architecture, made):
    nvcc = makeNvcc("older", known=known)
    (tmp_path / "words.h").write_text("int first;")
    ending = "\0" * made.startswith("--ptx")
    for source in (text, f'{text}\n#include "{tmp_path / "words.h"}"'):
        for _ in range(2):
            code = CudaCompiler.cubin("Answer", source, architecture, nvcc=nvcc)
            assert code.decode() == source + ending
    assert sum(made in call for call in calls()) == 2
    assert any(f"--preprocess {made.split()[1]}" in call for call in calls())


def test_gpu_older_than_all_that_nvcc_knows_is_named(calls):
    with pytest.raises(CompilerError, match=r"this GPU \(sm_61\), only for sm_75 and newer"):
        CudaCompiler.cubin("Answer", text, "sm_61")


@pytest.mark.parametrize("architecture", ["sm_130a", "compute_130"])
def test_what_only_a_user_may_say_is_left_to_nvcc(calls, architecture):
    with pytest.raises(CompilerError, match=f"Unsupported gpu architecture '{architecture}'"):
        CudaCompiler.cubin("Answer", text, architecture, own=False)


def test_without_nvcc_the_error_names_the_remedy(calls, monkeypatch):
    monkeypatch.setattr(Toolkit, "nvcc", lambda: None)
    monkeypatch.setattr(CudaCompiler, "hasNvrtc", lambda: False)
    with pytest.raises(CompilerError, match="python -m minidl cuda-setup installs one"):
        CudaCompiler.cubin("Answer", text, "sm_90")


def test_many_processes_on_a_cold_cache_compile_each_kernel_once(calls, makeNvcc, tmp_path):
    nvcc = makeNvcc("nvcc", delay=0.2)
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
    assert len(calls()) == 5


# NVIDIA's own nvcc, on machines that have one

@pytest.fixture
def realNvcc(calls, monkeypatch):
    monkeypatch.delenv("MINIDL_NVCC")
    Toolkit.forget()
    nvcc = Toolkit.nvcc()
    if nvcc is None or not Toolkit.architectures(nvcc):
        pytest.skip("this machine has no nvcc of NVIDIA's")
    return nvcc


def test_texts_with_headers_are_found_again(realNvcc):
    source = """#include <cassert>
#if __CUDA_ARCH__ >= 800
__device__ int large() { return 1; }
#else
__device__ int small() { return 1; }
#endif
__global__ void answer(int *x) { assert(*x); }
"""
    place = lambda: CudaCompiler.place("Answer", source, "sm_80", (), None, own=False)
    assert place() == place()
    seen = CudaCompiler.preprocessed(source, "sm_80", (), None)
    assert "int large()" in seen and "int small()" not in seen


def test_gpu_of_the_future_gets_code_that_its_driver_compiles(realNvcc):
    known = Toolkit.architectures(realNvcc)
    for source in (text, f"#include <cstdint>\n{text}"):
        code = CudaCompiler.cubin("Answer", source, "sm_990", own=False)
        assert ".target sm_{}{}\n".format(*max(known)) in code.decode()
        assert code.endswith(b"\n\0")


def test_gpu_between_two_that_nvcc_knows_gets_the_earlier_ones_code(realNvcc):
    code = CudaCompiler.cubin("Answer", text, "sm_85", own=False)
    assert code.startswith(b"\x7fELF")


def test_identity_is_that_of_the_program_itself(realNvcc):
    path = Toolkit.root() / "bin/nvcc"
    assert f"{path} {path.stat().st_size}" in CudaCompiler.nvccIdentity(None)
