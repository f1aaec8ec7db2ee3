"""Arrays and arithmetic on a device, GPU or CPU; knows nothing of modules."""

from minidl.Backend.ElementwiseKernel import ElementwiseKernel
from minidl.Backend.ReductionKernel import ReductionKernel
from minidl.Backend.SourceModule import SourceModule

__all__ = ["ElementwiseKernel", "ReductionKernel", "SourceModule"]
