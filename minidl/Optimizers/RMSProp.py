from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class RMSProp(Optimizer):
    """
    Gradients divided by their usual size. (Tieleman, Hinton 2012)

        ms = factor ms + (1 - factor) g^2,    p += learnRate g / (sqrt(ms) + epsilon)
    """

    entities, rates = ("ms",), ("learnRate", "factor", "epsilon")
    belowOne = ("factor",)

    def __init__(self, learnRate=1e-3, factor=0.9, epsilon=1e-5, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate, factor=factor, epsilon=epsilon)
        self.learnRate, self.factor, self.epsilon = learnRate, factor, epsilon

    def step(self, var, state):
        Ops.rmsProp(var.data, var.grad, state["ms"],
                    self.learnRate * var.learnRate, self.factor, self.epsilon)
