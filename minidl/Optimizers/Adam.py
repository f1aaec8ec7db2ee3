import math

from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class Adam(Optimizer):
    """
    Steps of a size that follows from the gradient's first two moments. (Kingma, Ba 2015)

        mg = beta1 mg + (1 - beta1) g,    ms = beta2 ms + (1 - beta2) g^2
        p += learnRate mg / (sqrt(ms) + epsilon),
        learnRate = alpha sqrt(1 - beta2^t) / (1 - beta1^t)    in step t

    Set alpha: learnRate is found anew in each step.
    """

    entities, rates = ("mg", "ms"), ("learnRate", "alpha", "beta1", "beta2", "epsilon")
    belowOne = ("beta1", "beta2")
    mayLack = ("learnRate",)
    rateName = "alpha"

    def __init__(self, alpha=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(alpha=alpha, beta1=beta1, beta2=beta2, epsilon=epsilon)
        self.alpha, self.beta1, self.beta2, self.epsilon = alpha, beta1, beta2, epsilon

    def update(self, useStreams=False, sync=True):
        t = self.t + 1
        self.learnRate = self.alpha * math.sqrt(1 - self.beta2 ** t) / (1 - self.beta1 ** t)
        super().update(useStreams, sync)

    def step(self, var, state):
        Ops.adam(var.data, var.grad, state["mg"], state["ms"], self.learnRate * var.learnRate,
                 1 - self.beta1, 1 - self.beta2, self.epsilon, *self.decayOf(var))

    def decayOf(self, var):
        """(how many of the first elements of `var` decay, by what share)"""
        return 0, 0.0
