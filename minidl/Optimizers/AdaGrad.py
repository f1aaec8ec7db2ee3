from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class AdaGrad(Optimizer):
    """
    Steps that get shorter where gradients have been large. (Duchi, Hazan, Singer 2011)

        h += g^2,    p += learnRate g / (sqrt(h) + epsilon)
    """

    entities, rates = ("h",), ("learnRate", "epsilon")

    def __init__(self, learnRate=1e-3, epsilon=1e-8, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate, epsilon=epsilon)
        self.learnRate, self.epsilon = learnRate, epsilon

    def step(self, var, state):
        Ops.adaGrad(var.data, var.grad, state["h"], self.learnRate * var.learnRate, self.epsilon)
