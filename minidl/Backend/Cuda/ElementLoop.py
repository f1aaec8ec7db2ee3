"""A kernel that loops over the elements of its arrays, elementwise or to reduce them."""

import re
import struct

from minidl.Backend import CTypes, Device
from minidl.Backend.Cuda.CudaText import block
from minidl.Backend.Cuda.SourceModule import SourceModule
from minidl.Backend.KernelFile import KernelError
from minidl.Backend.Window import windowOf

argument = re.compile(r"([\w\s]+?)\s*(\*?)\s*(?:__restrict__\s+)?(\w+)\s*(\[\s*\])?")
qualifiers = re.compile(r"\b(const|volatile|__restrict__)\b")
indexOf = "const long i = minidlStart + minidlAt * minidlStep;"


class ElementLoop:
    """
    Args:
        name: of the kernel.
        arguments: the user's declaration.
        text: the module's, whose kernel takes `hidden` more arguments, by struct's letters.
    """

    def __init__(self, name, arguments, text, keep, options, hidden=""):
        self.name = name
        self.letters = [letterOf(name, part) for part in arguments.split(",")]
        self.pointers = [n for n, letter in enumerate(self.letters) if letter == "P"]
        if not self.pointers:
            self.fail("needs an array among its arguments")
        self.device = Device.current()
        function = SourceModule(text, keep=keep, options=options).get_function(name)
        self.function = function  # keeps the code
        self.launcher = self.device.launcher(function, (block, 1, 1))
        self.pack = struct.Struct("".join(self.letters) + hidden + "4q").pack

    def window(self, args, within, slice):
        """The Window of a call with the user's arguments, after their check."""
        if len(args) != len(self.letters):
            self.fail(f"takes {len(self.letters)} arguments, got {len(args)}")
        arrays = [self.device.adopt(args[number]) for number in self.pointers]
        if bad := [array for array in arrays if not isinstance(array, self.device.GPUArray)]:
            self.fail(f"needs an array on the device for each pointer, got {type(bad[0]).__name__}")
        return windowOf(arrays, within, slice, self.fail)

    def launch(self, args, window, blocks, stream, *hidden):
        values = [self.device.adopt(arg).ptr if letter == "P" else arg
                  for letter, arg in zip(self.letters, args, strict=True)]
        try:
            packed = self.pack(*values, *hidden, *window)
        except struct.error as error:
            self.fail(f"got {', '.join(map(repr, args))}: {error}")
        self.launcher(packed, blocks, stream or self.device.stream)

    def fail(self, message):
        raise KernelError(f"kernel {self.name}: {message}") from None


def letterOf(kernel, declaration):
    """struct's letter for an argument as C declares it."""
    match = argument.fullmatch(qualifiers.sub("", declaration).strip())
    if match is None:
        raise KernelError(f"kernel {kernel}: cannot read the argument '{declaration.strip()}'")
    if match[2] or match[4]:
        return "P"
    name = " ".join(match[1].split())
    if name not in CTypes.letters:
        raise KernelError(f"kernel {kernel}: argument {match[3]} is of type {name}, and scalars "
                          f"must be of one of C's numbers")
    return CTypes.letters[name]
