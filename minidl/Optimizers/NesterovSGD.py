from minidl.Backend.Ops import Optimizer as Ops
from minidl.Optimizers.MomentumSGD import MomentumSGD


class NesterovSGD(MomentumSGD):
    """
    Momentum that looks one step ahead. (Nesterov 1983, in the form of Bengio et al. 2013)

        p += momRate^2 m + (1 + momRate) learnRate g,    m = momRate m + learnRate g
    """

    def step(self, var, state):
        Ops.nesterovSgd(var.data, var.grad, state["mom"],
                        self.learnRate * var.learnRate, self.momRate * var.momRate)
