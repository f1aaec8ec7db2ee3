"""Where there is an nvcc, it compiles every kernel for every GPU that minidl is for."""

from collections import Counter

import pytest

from benchmarks import Registers
from minidl.Backend.Cuda import CudaText, Toolkit

everyReal = pytest.mark.parametrize("real", CudaText.realNames.values())


@pytest.fixture(scope="module")
def compiled():
    nvcc = Toolkit.nvcc()
    if nvcc is None or not Registers.architectures(nvcc):
        pytest.skip("there is no nvcc on this machine")
    return Registers.compileAll(nvcc)


def test_nvcc_compiles_every_kernel_without_a_word(compiled):
    found, said = compiled

    assert said == ""
    names = [name for files in Registers.groups() for name in Registers.kernelsOf(files)]
    targets = len(CudaText.realNames) * len(Registers.architectures(Toolkit.nvcc()))
    assert Counter(each.kernel for each in found) == {
        name: count * targets for name, count in Counter(names).items()}


@everyReal
def test_no_kernel_leaves_its_registers(real, compiled):
    """Local memory is memory of the GPU: for spilled numbers, or arrays whose places vary."""
    assert not [each for each in compiled[0]
                if each.real == real and (each.stack or each.spills)]


def test_nvcc_compiles_the_narrow_text_of_batch_normalization_too(compiled):
    file = CudaText.cudaFile("BatchNorm", "#define WIDE 1")
    found, said = Registers.compileFiles(Toolkit.nvcc(), [file], "e")
    assert said == "" and found and not [each for each in found if each.stack or each.spills]


def test_what_the_compiler_says_is_understood():
    words = """ptxas info    : 24 bytes gmem
ptxas info    : Compiling entry function 'sum' for 'sm_90'
ptxas info    : Function properties for sum
    8 bytes stack frame, 16 bytes spill stores, 4 bytes spill loads
ptxas info    : Function properties for inner
    40 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem
ptxas warning : Value of threads per SM is out of range
"""
    found, others = Registers.parse(words, "e")

    assert found == [Registers.Compiled("sum", "Half", 90, 40, 2048, 40, 16)]
    assert found[0].occupancy == 0.75 and "out of range" in others


@pytest.mark.parametrize("architecture, registers, shared, occupancy", [
    (75, 64, 0, 1), (75, 65, 0, 0.75), (80, 32, 1024, 1), (86, 32, 0, 1), (86, 43, 0, 5 / 6),
    (90, 255, 0, 0.125), (90, 32, 48 * 1024, 0.5), (120, 32, 99 * 1024, 1 / 6)])
def test_occupancy(architecture, registers, shared, occupancy):
    assert Registers.Compiled(
        "k", "float", architecture, registers, shared, 0, 0).occupancy == pytest.approx(occupancy)
