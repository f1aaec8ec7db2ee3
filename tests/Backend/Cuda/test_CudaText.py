"""What nvcc gets to read."""

import pytest

from minidl.Backend import KernelFile
from minidl.Backend.Cuda.CudaText import block, cudaFile, cudaText, realNames

pytestmark = pytest.mark.anyDevice


@pytest.mark.parametrize("real, name", realNames.items())
def test_types_come_before_the_words_and_the_kernels(real, name):
    file = KernelFile.KernelFile("Activation")
    text = cudaText(file, real)
    accum = "double" if real == "d" else "float"
    parts = [f"#define BLOCK {block}\n", f"typedef {name} real;\ntypedef {accum} accum;\n",
             "#define GRID_LOOP", 'extern "C" {\n#line 1 "Activation.cu"\n', file.text]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert ("Half.h" in text) == (real in "eE")


def test_blocks_may_have_another_size():
    assert "#define BLOCK 32\n" in cudaText(KernelFile.KernelFile("Vector"), "f", 32)


def test_kernels_for_the_gpu_alone_are_found():
    assert "stridedCopy" in cudaText(cudaFile("StridedCopy"), "H")
    assert "typedef unsigned short real;" in cudaText(cudaFile("StridedCopy"), "H")
