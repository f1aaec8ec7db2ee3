from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class MomentumSGD(Optimizer):
    """
    Stochastic gradient descent that keeps some of its speed. (Polyak 1964)

        m = momRate m + learnRate g,    p += m
    """

    entities, rates = ("mom",), ("learnRate", "momRate")

    def __init__(self, learnRate=1e-3, momRate=0.9, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate, momRate=momRate)
        self.learnRate, self.momRate = learnRate, momRate

    def step(self, var, state):
        Ops.momentumSgd(var.data, var.grad, state["mom"],
                        self.learnRate * var.learnRate, self.momRate * var.momRate)
