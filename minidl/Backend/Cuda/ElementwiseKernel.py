"""The GPU's half of minidl.Backend.ElementwiseKernel."""

from minidl.Backend.Cuda.ElementLoop import ElementLoop, indexOf
from minidl.Backend.Window import windowArguments


class ElementwiseKernel:
    def __init__(
            self, arguments, operation, name, keep, options, preamble, loop_prep, after_loop):
        self.loop = ElementLoop(name, arguments, f"""{preamble}
__global__ void {name}({arguments}, {windowArguments})
{{
    {loop_prep};
    for (long minidlAt = (long)blockIdx.x * blockDim.x + threadIdx.x; minidlAt < minidlNumber;
         minidlAt += (long)gridDim.x * blockDim.x)
    {{
        {indexOf}
        {operation};
    }}
    {after_loop};
}}
""", keep, options)

    def __call__(self, *args, range=None, slice=None, stream=None):
        window = self.loop.window(args, range, slice)
        if window.number:
            self.loop.launch(args, window, self.loop.device.elements(window.number), stream)
