from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class SGD(Optimizer):
    """
    Stochastic gradient descent.

        p += learnRate g,    g the ascent direction
    """

    def __init__(self, learnRate=1e-3, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate)
        self.learnRate = learnRate

    def step(self, var, state):
        Ops.sgd(var.data, var.grad, self.learnRate * var.learnRate)
