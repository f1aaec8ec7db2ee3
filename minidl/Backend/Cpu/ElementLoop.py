"""A kernel that loops over the elements of its arrays: what elementwise and reduction kernels are."""

import functools
import math
from typing import NamedTuple

from minidl.Backend import Device
from minidl.Backend.Cpu.Function import geometry
from minidl.Backend.Cpu.SourceModule import SourceModule


class Window(NamedTuple):
    """`i` takes `number` values from `start` on, `step` apart, of the `n` elements of an array."""

    start: int
    step: int
    number: int
    n: int


# How the window is declared, after the user's arguments, and a block's share of it, one run.
windowArguments = "long minidlStart, long minidlStep, long minidlNumber, long n"
windowShare = """\
    long minidlFirst = minidlNumber * blockIdx.x / gridDim.x;
    const long minidlLast = minidlNumber * (blockIdx.x + 1l) / gridDim.x;"""


class ElementLoop:
    """
    Args:
        name: of the kernel.
        text: function that makes the module's text from the C expression of `i` by `minidlAt`.
        numFront: how many arguments precede the user's.
    """

    def __init__(self, name, text, keep, options, numFront=0):
        self.name, self.numFront = name, numFront
        self.module = lambda index: SourceModule(text(index), keep=keep, options=options)
        self.pointers = [
            number for number, parameter in enumerate(self.everywhere.parameters)
            if parameter.kind == b"P" and number >= numFront]
        if not self.pointers:
            self.everywhere.fail("needs an array among its arguments")

    @functools.cached_property
    def everywhere(self):
        return self.module("minidlStart + minidlAt").get_function(self.name)

    @functools.cached_property
    def inSteps(self):
        return self.module("minidlStart + minidlAt * minidlStep").get_function(self.name)

    def window(self, args, within, slice):
        """The Window of a call with the user's arguments, after their check."""
        self.everywhere.checkOnce((*(0,) * self.numFront, *args, 0, 0, 0, 0), prepared=True)
        arrays = [args[number - self.numFront] for number in self.pointers]
        if any(array.shape != arrays[0].shape for array in arrays):
            self.everywhere.fail(
                f"arrays must have one shape, got {', '.join(str(a.shape) for a in arrays)}")
        if any(array.layout is None for array in arrays):
            self.everywhere.fail("arrays must be contiguous")

        n = math.prod(arrays[0].shape)
        if slice is not None:
            values = range(*slice.indices(n))
        elif within is not None:
            values = range(within.start or 0, within.stop, within.step or 1)
        else:
            values = range(n)
        return Window(values.start, values.step, len(values), n)

    def launch(self, args, window, blocks):
        function = self.everywhere if window.step == 1 else self.inSteps
        function.launch(*geometry((blocks,), (1,), 0), (*args, *window))


def blocksOf(window):
    return Device.current().elements(window.number)
