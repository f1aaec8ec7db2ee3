"""The GPU's half of minidl.Backend.ReductionKernel."""

import struct

from minidl.Backend.Cuda.CudaText import block
from minidl.Backend.Cuda.ElementLoop import ElementLoop, indexOf
from minidl.Backend.Cuda.SourceModule import SourceModule
from minidl.Backend.Window import windowArguments

each = 4  # neighbours that a thread reduces by itself
packJoin = struct.Struct("PPi").pack

# A block has one run of elements, and goes over it a tile at a time. In a tile neighbours are
# reduced with neighbours, so that the order is always that of the elements.
loops = """
    __shared__ out_type tree[{block}];
    const long first = minidlNumber * blockIdx.x / gridDim.x;
    const long last = minidlNumber * (blockIdx.x + 1l) / gridDim.x;
    out_type sum = {neutral};
    for (long tile = first; tile < last; tile += {block} * {each})
    {{
        out_type mine = {neutral};
        for (long k = 0, minidlAt = tile + threadIdx.x * {each}l; k < {each}; ++k, ++minidlAt)
            if (minidlAt < last)
            {{
                {indexOf}
                mine = minidlReduce(mine, {map});
            }}
        tree[threadIdx.x] = mine;
        for (int step = 1; step < {block}; step *= 2)
        {{
            __syncthreads();
            if (threadIdx.x % (2 * step) == 0)
                tree[threadIdx.x] = minidlReduce(tree[threadIdx.x], tree[threadIdx.x + step]);
        }}
        sum = minidlReduce(sum, tree[0]);
        __syncthreads();
    }}
"""


class ReductionKernel:
    def __init__(
            self, dtype, neutral, map_expr, arguments, name, keep, options, preamble, join):
        self.dtype = dtype
        body = loops.format(neutral=neutral, map=map_expr, indexOf=indexOf, block=block,
                            each=each)
        self.loop = ElementLoop(name, arguments, f"""{preamble}
__global__ void {name}({arguments}, out_type *minidlPartial, {windowArguments})
{{
{body}
    if (threadIdx.x == 0)
        minidlPartial[blockIdx.x] = sum;
}}
""", keep, options, hidden="P")
        self.device = self.loop.device
        self.join = SourceModule(join, keep=keep, options=options).get_function(name)
        self.launchJoin = self.device.launcher(self.join, (1, 1, 1))

    def __call__(self, *args, range=None, slice=None, out=None, stream=None, allocator=None):
        window = self.loop.window(args, range, slice)
        if out is None:
            out = self.device.empty((), self.dtype)
        blocks = self.device.elements(window.number) if window.number else 0
        partial = self.device.empty((blocks,), self.dtype)
        if blocks:
            self.loop.launch(args, window, blocks, stream, partial.ptr)
        packed = packJoin(self.device.adopt(out).ptr, partial.ptr, blocks)
        self.launchJoin(packed, 1, stream or self.device.stream)
        if stream is not None:
            out.partial = partial  # else the memory would serve others, in the device's own stream
        return out
