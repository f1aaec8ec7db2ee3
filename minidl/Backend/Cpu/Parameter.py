"""A parameter of a kernel, as the compiler has described it, and which values fit it."""

import ctypes
import numbers

import numpy as np

from minidl.Backend.Cpu.HostArray import GPUArray

# struct's letters: kind -> size -> letter. Structs have none, and are packed as so many bytes.
letters = {
    "f": {4: "f", 8: "d"},
    "i": {1: "b", 2: "h", 4: "i", 8: "q"},
    "u": {1: "B", 2: "H", 4: "I", 8: "Q"},
    "c": {1: "b"},
    "b": {1: "?"},
    "P": {8: "Q"},
}
names = {"f": "float", "i": "int", "u": "uint", "c": "int", "P": "pointers of "}
numpyKinds = {"c": "iu"}  # C's char may be either; the other kinds are numpy's own letters


class Parameter(ctypes.Structure):
    """
    simt::Parameter (Simt/Launch.h).

    kind: "f", "i", "u", "b" as numpy has them, "c" for char, "P" for pointers, "s" for structs.
    elementKind, elementSize: of what a pointer points to.
    offset: of the value in a packed call.
    """

    _fields_ = [
        ("kindLetter", ctypes.c_char), ("elementLetter", ctypes.c_char), ("size", ctypes.c_int),
        ("elementSize", ctypes.c_int), ("offset", ctypes.c_int),
    ]

    @property
    def kind(self):
        return self.kindLetter.decode()

    @property
    def elementKind(self):
        return self.elementLetter.decode()

    @property
    def letter(self):
        return letters.get(self.kind, {}).get(self.size, f"{self.size}s")

    def accepts(self, value):
        """Whether a call may pass the value: arrays, addresses, scalars of exactly the type."""
        if isinstance(value, GPUArray):
            return self.kind == "P" and self.pointsTo(value.dtype)
        if self.kind == "s":
            return isinstance(value, (np.void, np.ndarray)) and value.nbytes == self.size
        if isinstance(value, np.generic):
            return self.isOf(value.dtype)
        return self.kind == "P" and isinstance(value, int)

    def acceptsNumber(self, value):
        """Whether a prepared call may pass the value, which may also be one of Python's numbers."""
        if isinstance(value, GPUArray) or self.kind == "s":
            return self.accepts(value)
        return isinstance(value, numbers.Real if self.kind == "f" else numbers.Integral)

    def isOf(self, dtype):
        kinds = "iu" if self.kind == "P" else numpyKinds.get(self.kind, self.kind)
        return dtype.kind in kinds and dtype.itemsize == self.size

    def pointsTo(self, dtype):
        """Whether an array of the dtype fits; a pointer to void or structs takes any."""
        kind = self.elementKind
        if kind == "s" or dtype.kind not in "biuf":
            return True
        return dtype.kind in numpyKinds.get(kind, kind) and dtype.itemsize == self.elementSize

    def __str__(self):
        if self.kind == "s":
            return f"a struct of {self.size} bytes"
        if self.kind != "P":
            return f"a numpy scalar of {nameOf(self.kind, self.size)}"
        of = "" if self.elementKind == "s" else f" of {nameOf(self.elementKind, self.elementSize)}"
        return f"an array{of} on the device"


def nameOf(kind, size):
    return "bool" if kind == "b" else f"{names[kind]}{8 * size}"


def described(value):
    """The value as an error names it."""
    if isinstance(value, GPUArray):
        return f"an array of {value.dtype}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of the host; gpuarray.to_gpu puts it on the device"
    if isinstance(value, np.generic):
        return f"numpy.{value.dtype}"
    return f"{value!r} ({type(value).__name__})"
