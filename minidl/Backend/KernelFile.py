"""Kernel files as Python sees them: the text, its kernels, and the arguments that each declares."""

import concurrent.futures
import os
import re
import struct
from pathlib import Path
from typing import NamedTuple

from minidl.Backend import Device

folder = Path(__file__).parent / "Kernels"
comment = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
declaration = re.compile(r"__global__\s+void\s+(\w+)\s*\(([^)]*)\)")
argumentForm = re.compile(r"(?:const\s+)?(unsigned char|\w+)\s*(\*?)\s*(\w+)")

arrayLetters = {"int": "i", "unsigned": "I", "unsigned char": "B"}
packLetters = {"int": "i", "unsigned": "I"}


class KernelError(TypeError, ValueError):
    """Arguments that do not fit a kernel's declaration."""


class Argument(NamedTuple):
    name: str
    type: str  # real, accum, int, unsigned or unsigned char
    isArray: bool


class KernelFile:
    """
    Kernels/`stem`.cu: `file.name(blocks, *arguments)` launches its kernel `name`.

    The text is compiled when one of its kernels is first launched.
    """

    def __init__(self, stem):
        self.stem = stem
        self.text = (folder / f"{stem}.cu").read_text()
        self.declarations = parse(self.text)
        self.compiled = {}  # real's letter -> {kernel's name: function of (packed, blocks)}

    def __getattr__(self, name):
        if name.startswith("_") or name not in self.declarations:
            raise AttributeError(f"Kernels/{self.stem}.cu has no kernel {name}")
        kernel = Kernel(self, name, self.declarations[name])
        setattr(self, name, kernel)
        return kernel

    def entry(self, name, real):
        if real not in self.compiled:
            self.compiled[real] = Device.current().compile(self, real)
        return self.compiled[real][name]


class Kernel:
    """Checks arguments against the declaration, once for each kind of arrays, and launches."""

    def __init__(self, file, name, arguments):
        self.file, self.name, self.arguments = file, name, arguments
        self.numArrays = sum(argument.isArray for argument in arguments)
        self.ready = {}  # layouts of the arrays -> (launch, pack)

    def __call__(self, blocks, *values):
        arrays, scalars = values[:self.numArrays], values[self.numArrays:]
        try:
            launch, pack = self.ready[tuple([array.layout for array in arrays])]
            packed = pack(*[array.ptr for array in arrays], *scalars)
        except (KeyError, AttributeError, TypeError, struct.error):
            arrays = [Device.current().adopt(array) for array in arrays]
            launch, pack = self.prepare(arrays, scalars)
            packed = pack(*[array.ptr for array in arrays], *scalars)
        launch(packed, blocks)

    def prepare(self, arrays, scalars):
        if len(arrays) + len(scalars) != len(self.arguments):
            self.fail(
                f"takes {len(self.arguments)} arguments, got {len(arrays) + len(scalars)}")
        for argument, value in zip(self.arguments[self.numArrays:], scalars, strict=True):
            self.checkScalar(argument, value)

        real = self.realOf(arrays)
        for argument, array in zip(self.arguments, arrays, strict=False):
            self.checkArray(argument, array, real)

        prepared = self.file.entry(self.name, real), struct.Struct(self.packFormat(real)).pack
        self.ready[tuple([array.layout for array in arrays])] = prepared
        return prepared

    def realOf(self, arrays):
        names = Device.current().realNames
        for argument, array in zip(self.arguments, arrays, strict=False):
            if argument.type == "real":
                letter = getattr(getattr(array, "dtype", None), "char", None)
                if letter not in names:
                    self.fail(f"{argument.name} must be an array of floating point numbers "
                              f"({' or '.join(names.values())}), got "
                              f"{getattr(array, 'dtype', type(array).__name__)}")
                return letter
        return "f"

    def checkArray(self, argument, array, real):
        expected = {"real": real, "accum": "d" if real == "d" else "f"}.get(argument.type)
        expected = expected or arrayLetters[argument.type]
        if not isinstance(array, Device.current().GPUArray):
            self.fail(f"{argument.name} must be an array on the device (see gpuarray.to_gpu), got "
                      f"{type(array).__name__}")
        if array.dtype.char not in expected:
            self.fail(f"{argument.name} must be of {argument.type} ({expected}), got {array.dtype}")
        if array.layout is None:
            self.fail(f"{argument.name} must be contiguous, got strides {array.strides} for shape "
                      f"{array.shape}")

    def checkScalar(self, argument, value):
        try:
            struct.pack(packLetters.get(argument.type, "d"), value)
        except (struct.error, TypeError):
            self.fail(f"{argument.name} must be a number of type {argument.type} (32 bits for an "
                      f"integer), got {value}")

    def packFormat(self, real):
        letters = {"accum": "d" if real == "d" else "f", **packLetters}
        return "".join("P" if a.isArray else letters[a.type] for a in self.arguments)

    def fail(self, message):
        raise KernelError(f"kernel {self.name}: {message}")


def inBackground(make):
    """Calls make(file) for every kernel file: where one is not compiled yet, more will not be."""
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "minidl-compile")
    for path in sorted(folder.glob("*.cu")):
        pool.submit(make, KernelFile(path.stem))
    pool.shutdown(wait=False)


def parse(text):
    """{kernel's name: its Arguments}; arrays come first in every declaration."""
    found = {}
    for name, arguments in declaration.findall(comment.sub("", text)):
        found[name] = tuple(parseArgument(name, each) for each in arguments.split(","))
        arrays = [argument.isArray for argument in found[name]]
        if arrays != sorted(arrays, reverse=True):
            raise KernelError(f"kernel {name}: arrays must be declared before sizes and scalars")
    return found


def parseArgument(kernel, text):
    match = argumentForm.fullmatch(text.strip())
    if match is None or match[1] not in ("real", "accum", *arrayLetters):
        raise KernelError(f"kernel {kernel}: cannot read the argument '{text.strip()}'")
    return Argument(match[3], match[1], match[2] == "*")
