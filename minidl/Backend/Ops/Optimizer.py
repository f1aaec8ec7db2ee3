"""
Steps of optimizers, which change `param` in place, and what hooks do to gradients: launches for
Kernels/Optimizer.cu.
"""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import sumType

kernels = KernelFile("Optimizer")
share = 1 << 14  # elements that one block sums up


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


def adaGrad(param, grad, h, rate, epsilon):
    kernels.adaGrad(elements(param.size), grad, param, h, param.size, rate, epsilon)


def adaDelta(param, grad, msg, msdx, rate, rho, epsilon):
    kernels.adaDelta(elements(param.size), grad, param, msg, msdx, param.size, rate, rho, epsilon)


def rmsProp(param, grad, ms, rate, factor, epsilon):
    kernels.rmsProp(elements(param.size), grad, param, ms, param.size, rate, factor, epsilon)


def rmsPropGraves(param, grad, mg, ms, delta, rate, alpha, momRate, epsilon):
    kernels.rmsPropGraves(elements(param.size), grad, param, mg, ms, delta, param.size,
                          rate, alpha, momRate, epsilon)


def smorms3(param, grad, mem, mg, ms, rate, epsilon):
    kernels.smorms3(elements(param.size), grad, param, mem, mg, ms, param.size, rate, epsilon)


def adam(param, grad, mg, ms, rate, rest1, rest2, epsilon, decaying=0, decay=0.0):
    """rest1, rest2: 1 - beta1 and 1 - beta2; the first `decaying` elements decay."""
    kernels.adam(elements(param.size), grad, param, mg, ms, param.size, decaying,
                 rate, rest1, rest2, epsilon, decay)


def l1(param, grad, rate):
    kernels.l1(elements(param.size), param, grad, param.size, rate)


def clipValue(grad, limit):
    kernels.clipValue(elements(grad.size), grad, grad.size, limit)


def clipNorm(grads, limit):
    """Returns the square of the norm of all gradients together, an array of one element."""
    numbers = [-(-grad.size // share) for grad in grads]
    squares, square = (empty(size, sumType(grads[0].dtype)) for size in (sum(numbers), 1))
    first = 0
    for grad, number in zip(grads, numbers, strict=True):
        kernels.sumSquares(number, grad, squares, grad.size, share, first)
        first += number
    Vector.sumTo(squares, square, 0)
    for grad in grads:
        kernels.clipNorm(elements(grad.size), square, grad, grad.size, limit)
    return square
