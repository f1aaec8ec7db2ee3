from math import inf

from minidl.Backend.Ops.LRN import backward, forward
from minidl.Modules.MapsModule import MapsModule
from minidl.Modules.Module import isCount


class LRN(MapsModule):
    """
    Divides each number by the strength of what stands around it: the base of CrossMapLRN, MapLRN
    and LCN.

        y = x / s^beta,    s = K + alpha / n * (sum over the window of squares)

    Args:
        N: size of the window, which is cut off at the edges. Of an even one (N - 1) / 2 numbers
            come before its centre and N / 2 behind.
        alpha: weight of the squares, at least 0.
        beta: the exponent.
        K: above 0, to divide by no zero.

    Data: (batch, maps, height, width); the result has the same shape.
    """

    def __init__(self, N=5, alpha=1e-4, beta=0.75, K=2.0, name=None):
        super().__init__(2, name)
        if not isCount(N):
            self.fail(f"N must be a positive integer, got {N}")
        if not (0 <= alpha < inf and 0 < K < inf and -inf < beta < inf):
            self.fail(f"needs finite alpha >= 0, beta and K > 0, got alpha={alpha}, beta={beta} "
                      f"and K={K}")
        self.N, self.alpha, self.beta, self.K = N, alpha, beta, K
        self.gradUsesOutData = True
        self.strengths = None

    def updateData(self, data):
        self.data, self.strengths = forward(data, self.window, self.alpha, self.beta, self.K)

    def updateGrad(self, grad):
        self.grad = backward(
            self.inData, self.data, self.strengths, grad, self.window, self.alpha, self.beta)

    def reset(self):
        super().reset()
        self.strengths = None
