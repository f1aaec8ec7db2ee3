"""The CPU's half of minidl.Backend.ElementwiseKernel."""

from minidl.Backend.Cpu.ElementLoop import ElementLoop, blocksOf, windowShare
from minidl.Backend.Window import windowArguments


class ElementwiseKernel:
    def __init__(
            self, arguments, operation, name, keep, options, preamble, loop_prep, after_loop):
        def text(index):
            return f"""{preamble}
__global__ void {name}({arguments}, {windowArguments})
{{
{windowShare}
    {loop_prep};
    SIMT_THREAD_LOOP
    for (long minidlAt = minidlFirst; minidlAt < minidlLast; ++minidlAt)
    {{
        const long i = {index};
        {operation};
    }}
    {after_loop};
}}
"""
        self.loop = ElementLoop(name, text, keep, options, numHidden=4)

    def __call__(self, *args, range=None, slice=None, stream=None):
        window = self.loop.window(args, range, slice)
        if window.number:
            self.loop.launch(args, window, blocksOf(window))
