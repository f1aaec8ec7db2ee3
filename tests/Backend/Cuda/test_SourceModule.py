"""What the user's CUDA C is compiled with, and what is said when the driver does not take it."""

import pytest

from minidl.Backend import Device, SourceModule
from minidl.Backend.Cpu.HostCompiler import CompilerError
from minidl.Backend.Cuda import CudaCompiler

pytest.importorskip("pycuda", reason="tests PyCUDA's modules, which make test-cuda installs")
import pycuda.compiler  # noqa: E402
import pycuda.driver as drv  # noqa: E402

from minidl.Backend.Cuda.SourceModule import moduleOf  # noqa: E402

text = "__global__ void answer(int *x) { *x = 42; }"


@pytest.fixture
def compiled(monkeypatch):
    """What CudaCompiler is asked to compile: (architecture, options, own)."""
    seen, cubin = [], CudaCompiler.cubin

    def listing(stem, text, architecture, options, nvcc, own=True):
        seen.append((architecture, options, own))
        return cubin(stem, text, architecture, options, nvcc, own)

    monkeypatch.setattr(CudaCompiler, "cubin", listing)
    monkeypatch.setattr(pycuda.compiler, "DEFAULT_NVCC_FLAGS", ["-DANSWER=42", "-lineinfo"])
    return seen


def test_options_are_pycudas_own_where_none_are_given(compiled):
    for options in (None, [], "-O2"):
        SourceModule(text, options=options)
    assert [options for _, options, _ in compiled] == [["-DANSWER=42", "-lineinfo"], [], ["-O2"]]
    assert pycuda.compiler.DEFAULT_NVCC_FLAGS == ["-DANSWER=42", "-lineinfo"]


def test_users_texts_are_compiled_as_such(compiled):
    SourceModule("__global__ void f(float *x) { *x = INFINITY; }")
    assert compiled == [(Device.current().architecture, ["-DANSWER=42", "-lineinfo"], False)]


def test_architecture_of_code_is_virtual(compiled):
    own = Device.current().architecture
    virtual = own.replace("sm_", "compute_")
    SourceModule(text, options=[], code=own)
    SourceModule(text, options=[], code=own, arch="compute_75")
    SourceModule(text, options=[], arch=own)
    assert [(architecture, options) for architecture, options, _ in compiled] == [
        (virtual, ["-code", own]), ("compute_75", ["-code", own]), (own, [])]


@pytest.fixture
def refuse(monkeypatch):
    """A function that has the driver refuse all code in these words."""
    def refuse(words):
        def guarded(function, *args):
            raise drv.LogicError(words)

        monkeypatch.setattr(Device.current(), "guarded", guarded)

    return refuse


@pytest.mark.parametrize("words", [
    "device kernel image is invalid", "no kernel image is available for execution on the device",
    "the provided PTX was compiled with an unsupported toolchain."])
def test_code_that_the_driver_refuses_is_an_error_with_a_remedy(refuse, words):
    refuse(words)
    with pytest.raises(CompilerError, match=f"{words}.*python -m minidl cuda-setup"):
        SourceModule(text)


def test_other_errors_of_the_driver_stay_what_they_are(refuse):
    refuse("an illegal memory access was encountered")
    with pytest.raises(drv.LogicError, match="illegal memory access"):
        SourceModule(text)


def test_what_is_no_code_is_refused():
    with pytest.raises(CompilerError, match="cuda-setup"):
        moduleOf(Device.current(), b"no code at all" + bytes(100))
