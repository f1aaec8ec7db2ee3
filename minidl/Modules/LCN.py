from minidl.Backend.Ops.LCN import backward, forward
from minidl.Backend.Ops.SubtractMean import localMeans
from minidl.Modules.LRN import LRN


class LCN(LRN):
    """
    Local contrast normalization: divides each number by how much those around it vary.

        y = x / s^beta,    s = K + alpha / N^2 * (sum over the window of (x' - mean)^2)

    where x' are the numbers of the window, N x N of the same map, cut off at the edges, and mean is
    that of the window. (Jarrett et al. 2009)

    Args:
        N: size of the window, odd and above 1.
        alpha, beta, K: see LRN.
        includePad: whether places beyond the edges count in the mean, as zeros.

    Attributes: means, of the last data; size and pad, (height, width) of the window and of what it
    may stand out. Data: (batch, maps, height, width); the result has the same shape.
    """

    def __init__(self, N=5, alpha=1e-4, beta=0.75, K=2.0, includePad=True, name=None):
        super().__init__(N, alpha, beta, K, name)
        self.registerBlueprint(locals())
        if N % 2 == 0 or N == 1:
            self.fail(f"N must be odd and above 1, got {N}")
        self.size, self.pad, self.includePad = (N, N), (N // 2, N // 2), includePad
        self.means = self.pivots = None

    def updateData(self, data):
        self.means = localMeans(data, self.N, self.includePad)
        self.data, self.strengths, self.pivots = forward(
            data, self.means, self.N, self.alpha, self.beta, self.K)

    def updateGrad(self, grad):
        self.grad = backward(self.inData, self.data, self.strengths, self.pivots, grad, self.N,
                             self.alpha, self.beta)

    def reset(self):
        super().reset()
        self.means = self.pivots = None
