"""Steps of optimizers, which change `param` in place: launches for Kernels/Optimizer.cu."""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Optimizer")


def widen(param, grad, master):
    """The gradient in the dtype of `master`, which takes over what others have put into `param`."""
    gradInFull = empty(grad.shape, master.dtype)
    kernels.widen(elements(param.size), grad, param, gradInFull, master, param.size)
    return gradInFull


def sgd(param, grad, rate):
    kernels.sgd(elements(param.size), grad, param, param.size, rate)


def momentumSgd(param, grad, mom, rate, momRate):
    kernels.momentumSgd(elements(param.size), grad, param, mom, param.size, rate, momRate)


def nesterovSgd(param, grad, mom, rate, momRate):
    kernels.nesterovSgd(elements(param.size), grad, param, mom, param.size, rate, momRate)


def adam(param, grad, mg, ms, rate, rest1, rest2, epsilon):
    """rest1, rest2: 1 - beta1 and 1 - beta2."""
    kernels.adam(
        elements(param.size), grad, param, mg, ms, param.size, rate, rest1, rest2, epsilon)
