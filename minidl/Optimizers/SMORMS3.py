from minidl.Backend.Ops import Optimizer as Ops
from minidl.Backend.Ops import Vector
from minidl.Optimizers.Optimizer import Optimizer


class SMORMS3(Optimizer):
    """
    Squared mean over root mean squared, cubed: memory that shortens where gradients agree.
    (Funk 2015)

        r = 1 / (1 + mem),    mg = (1 - r) mg + r g,    ms = (1 - r) ms + r g^2
        x = mg^2 / (ms + epsilon),    mem = 1 + mem (1 - x)
        p += min(learnRate, x) g / (sqrt(ms) + epsilon)

    mem starts as 1.
    """

    entities, rates = ("mem", "mg", "ms"), ("learnRate", "epsilon")

    def __init__(self, learnRate=1e-3, epsilon=1e-16, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(learnRate=learnRate, epsilon=epsilon)
        self.learnRate, self.epsilon = learnRate, epsilon

    def setupState(self, var):
        state = super().setupState(var)
        Vector.fill(state["mem"], 1)
        return state

    def step(self, var, state):
        Ops.smorms3(var.data, var.grad, state["mem"], state["mg"], state["ms"],
                    self.learnRate * var.learnRate, self.epsilon)
