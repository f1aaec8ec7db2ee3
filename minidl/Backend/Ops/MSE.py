"""Mean squared error on the device: outputs and launches for Kernels/MSE.cu."""

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("MSE")


def meanSquares(pred, target):
    """Returns (errors, grad): the error of each sample, and the ascent direction of their mean."""
    batch, length = pred.shape[0], pred.size // pred.shape[0]
    grad, errors = empty(pred.shape, pred.dtype), empty(batch, sumType(pred.dtype))
    kernels.meanSquares(batch, pred, target, grad, errors, batch, length)
    return errors, grad
