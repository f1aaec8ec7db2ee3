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


def cudaFile(stem, defines=""):
    """With what it stands on: `defines`, the plain file's functions, and a header of its own."""
    plain, own = KernelFile.folder / f"{stem}.cu", folder / f"{stem}.cu"
    parts = [defines, plain.read_text().partition("__global__")[0] if plain.exists() else ""]
    parts += [path.read_text() for path in (own.with_suffix(".h"), own) if path.exists()]
    return CudaFile(stem, "\n".join(parts))


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
