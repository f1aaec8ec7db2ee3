"""What may change gradients before each step: optimizer.addHook(WeightDecay(1e-4))."""

from minidl.Backend.Ops import Vector


class WeightDecay:
    """
    g -= rate * wc * p,    wc the variable's own factor

    A variable's wc starts as 0, which means no decay: set it on those that should decay.
    """

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, var, state):
        if var.wc > 0:
            Vector.addScaled(var.grad, var.data, out=var.grad, beta=-self.rate * var.wc)
