"""What may change gradients before each step: optimizer.addHook(WeightDecay(1e-4))."""

from minidl.Backend.Ops import Optimizer as Ops
from minidl.Backend.Ops import Vector


class WeightDecay:
    """
    g -= rate p

    Args:
        of: what decays. "wc": every variable, by rate * wc, its own factor, which starts as 0: no
            decay. "weights": all but biases, parameters of normalizations and slopes of PRelu, by
            rate, whatever wc. "all": everything.
    """

    def __init__(self, rate, of="wc"):
        self.rate, self.of = rate, checkChoice("WeightDecay", of, ("wc", "weights", "all"))

    def __call__(self, var, state):
        rate = self.rate * var.wc if self.of == "wc" else self.rate
        param, grad = drawn(var, self.of)
        if rate > 0 and param.size:
            Vector.addScaled(grad, param, out=grad, beta=-rate)


class L1:
    """
    g -= rate sign(p), which draws weights to zero itself.

    Args:
        of: "weights" or "all", as WeightDecay's.
    """

    def __init__(self, rate, of="weights"):
        self.rate, self.of = rate, checkChoice("L1", of, ("weights", "all"))

    def __call__(self, var, state):
        param, grad = drawn(var, self.of)
        if param.size:
            Ops.l1(param, grad, self.rate)


class ClipValue:
    """g = min(max(g, -limit), limit), element by element; NaN stays."""

    def __init__(self, limit):
        self.limit = checkLimit("ClipValue", limit)

    def __call__(self, var, state):
        Ops.clipValue(var.grad, self.limit)


class ClipNorm:
    """
    g *= limit / norm, where the norm of all gradients together is above the limit.

        norm = sqrt(sum over all parameters of g^2)

    It comes before all hooks that see one variable at a time. Nobody waits for the device, and the
    sums are the same bits on every run; `norm()` is that of the last step, for which one waits.
    """

    ofAll = True

    def __init__(self, limit):
        self.limit, self.square = checkLimit("ClipNorm", limit), None

    def __call__(self, variables):
        self.square = Ops.clipNorm([var.grad for var in variables], self.limit)

    def norm(self):
        return float(self.square.get()[0]) ** 0.5


def drawn(var, of):
    """(data, grad) of the elements of a variable that `of` means, which are its first ones."""
    number = numberOf(var, of)
    if number == var.data.size:
        return var.data, var.grad
    return tuple(array.reshape(-1)[:number] for array in (var.data, var.grad))


def numberOf(var, of):
    return var.numOfWeights if of == "weights" else var.data.size


def checkChoice(speaker, of, choices):
    if of not in choices:
        raise ValueError(f"{speaker}: of must be one of {', '.join(choices)}, got {of!r}")
    return of


def checkLimit(speaker, limit):
    if not limit > 0:
        raise ValueError(f"{speaker}: limit must be above 0, got {limit}")
    return limit
