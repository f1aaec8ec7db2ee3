"""The text that nvcc gets: a kernel file behind the words that it uses."""

from typing import NamedTuple

from minidl.Backend import KernelFile

block = 256  # threads in a block; a power of two
folder = KernelFile.folder / "Cuda"

realNames = {"f": "float", "d": "double", "e": "Half", "E": "Bfloat16"}  # by numpy's letters
integerNames = {  # for kernels that only move data
    "B": "unsigned char", "H": "unsigned short", "I": "unsigned", "Q": "unsigned long long"}


class CudaFile(NamedTuple):
    """Kernels/Cuda/`stem`.cu, whose kernels are for the GPU alone."""

    stem: str
    text: str


def cudaFile(stem):
    return CudaFile(stem, (folder / f"{stem}.cu").read_text())


def cudaText(file, real, block=block):
    """CUDA C of a kernel file for data of type `real`, one of numpy's letters."""
    name = {**realNames, **integerNames}[real]
    return "\n".join([
        f"#define BLOCK {block}",
        header("Half") if real in "eE" else "",
        f"typedef {name} real;\ntypedef {'double' if real == 'd' else 'float'} accum;",
        header("Cuda"),
        f'extern "C" {{\n#line 1 "{file.stem}.cu"',
        file.text,
        "}",
    ])


def header(stem):
    return f'#line 1 "{stem}.h"\n' + (KernelFile.folder / f"{stem}.h").read_text()
