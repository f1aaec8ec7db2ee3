"""A kernel that loops over the elements of its arrays, elementwise or to reduce them."""

import functools

from minidl.Backend import Device
from minidl.Backend.Cpu.Parameter import Parameter
from minidl.Backend.Cpu.SourceModule import SourceModule
from minidl.Backend.Window import windowOf

# A block's share of the window, one run.
windowShare = """\
    long minidlFirst = minidlNumber * blockIdx.x / gridDim.x;
    const long minidlLast = minidlNumber * (blockIdx.x + 1l) / gridDim.x;"""


class ElementLoop:
    """
    Args:
        name: of the kernel.
        text: function that makes the module's text from the C expression of `i` by `minidlAt`.
        numHidden: how many arguments follow the user's.
    """

    def __init__(self, name, text, keep, options, numHidden):
        self.name = name
        self.module = lambda index: SourceModule(text(index), keep=keep, options=options)
        self.hidden = (0,) * numHidden
        self.numArguments = len(self.everywhere.parameters) - numHidden
        self.pointers = [
            number for number in range(self.numArguments)
            if self.everywhere.parameters[number].kind == "P"]
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
        if len(args) != self.numArguments:
            self.everywhere.fail(f"takes {self.numArguments} arguments, got {len(args)}")
        self.everywhere.check((*args, *self.hidden), Parameter.acceptsNumber)
        arrays = [args[number] for number in self.pointers]
        return windowOf(arrays, within, slice, self.everywhere.fail)

    def launch(self, args, window, blocks):
        function = self.everywhere if window.step == 1 else self.inSteps
        function.launch((blocks,), (1,), 0, (*args, *window))


def blocksOf(window):
    """How many blocks share the loop: by its length alone."""
    return Device.current().elements(window.number)
