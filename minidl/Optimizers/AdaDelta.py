from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.Optimizer import Optimizer


class AdaDelta(Optimizer):
    """
    Steps as long as those before, in proportion to the gradient's usual size. (Zeiler 2012)

        msg = rho msg + (1 - rho) g^2,      d = sqrt((msdx + epsilon) / (msg + epsilon)) g
        msdx = rho msdx + (1 - rho) d^2,    p += learnRate d

    learnRate is 1, unless it is set later.
    """

    entities, rates = ("msg", "msdx"), ("learnRate", "rho", "epsilon")
    belowOne = ("rho",)
    mayLack = ("learnRate",)

    def __init__(self, rho=0.95, epsilon=1e-6, nodeinfo=None):
        super().__init__(nodeinfo)
        self.checkRates(rho=rho, epsilon=epsilon)
        self.learnRate, self.rho, self.epsilon = 1.0, rho, epsilon

    def step(self, var, state):
        Ops.adaDelta(var.data, var.grad, state["msg"], state["msdx"],
                     self.learnRate * var.learnRate, self.rho, self.epsilon)
