"""The CPU's half of minidl.Backend.ReductionKernel."""

import numpy as np

from minidl.Backend.Cpu import HostArray
from minidl.Backend.Cpu.ElementLoop import ElementLoop, blocksOf, windowShare
from minidl.Backend.Cpu.SourceModule import SourceModule
from minidl.Backend.Window import windowArguments

# A tree over 256 neighbours, then one result after the other: in vectors, and always in order.
loops = """
    out_type minidlSum = {neutral};
    for (; minidlLast - minidlFirst >= 256; minidlFirst += 256)
    {{
        out_type minidlTree[256];
        SIMT_THREAD_LOOP
        for (long minidlLeaf = 0; minidlLeaf < 256; ++minidlLeaf)
        {{
            const long minidlAt = minidlFirst + minidlLeaf, i = {index};
            minidlTree[minidlLeaf] = {map};
        }}
        for (int minidlWidth = 128; minidlWidth > 0; minidlWidth /= 2)
            SIMT_THREAD_LOOP
            for (int k = 0; k < minidlWidth; ++k)
                minidlTree[k] = minidlReduce(minidlTree[2 * k], minidlTree[2 * k + 1]);
        minidlSum = minidlReduce(minidlSum, minidlTree[0]);
    }}
    for (long minidlAt = minidlFirst; minidlAt < minidlLast; ++minidlAt)
    {{
        const long i = {index};
        minidlSum = minidlReduce(minidlSum, {map});
    }}
"""


class ReductionKernel:
    def __init__(
            self, dtype, neutral, map_expr, arguments, name, keep, options, preamble, join):
        self.dtype = dtype

        def text(index):
            return f"""{preamble}
__global__ void {name}({arguments}, out_type *minidlPartial, {windowArguments})
{{
{windowShare}
{loops.format(neutral=neutral, index=index, map=map_expr)}
    minidlPartial[blockIdx.x] = minidlSum;
}}
"""
        self.loop = ElementLoop(name, text, keep, options, numHidden=5)
        self.join = SourceModule(join, keep=keep, options=options).get_function(name)

    def __call__(self, *args, range=None, slice=None, out=None, stream=None, allocator=None):
        window = self.loop.window(args, range, slice)
        if out is None:
            out = HostArray.empty((), self.dtype)
        blocks = blocksOf(window) if window.number else 0
        partial = HostArray.empty((blocks,), self.dtype)
        if blocks:
            self.loop.launch((*args, partial), window, blocks)
        self.join(out, partial, np.int32(blocks), block=(1, 1, 1))
        return out
