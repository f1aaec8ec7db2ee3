from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class RMSPropGraves(Optimizer):
    """
    Gradients divided by their deviation, with momentum. (Graves 2013)

        mg = alpha mg + (1 - alpha) g,    ms = alpha ms + (1 - alpha) g^2
        delta = momRate delta + learnRate g / sqrt(ms - mg^2 + epsilon),    p += delta
    """

    entities = ("mg", "ms", "delta")
    rates = ("learnRate", "alpha", "momRate", "epsilon")
    belowOne = ("alpha",)

    def __init__(self, learnRate=1e-4, alpha=0.95, momRate=0.9, epsilon=1e-4, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate, alpha=alpha, momRate=momRate, epsilon=epsilon)
        self.learnRate, self.alpha, self.momRate = learnRate, alpha, momRate
        self.epsilon = epsilon

    def step(self, var, state):
        Ops.rmsPropGraves(var.data, var.grad, state["mg"], state["ms"], state["delta"],
                          self.learnRate * var.learnRate, self.alpha, self.momRate * var.momRate,
                          self.epsilon)
