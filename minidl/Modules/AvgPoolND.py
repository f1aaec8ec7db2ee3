from minidl.Backend.Ops import Pool as Ops
from minidl.Modules.PoolND import PoolND


class AvgPoolND(PoolND):
    """
    The mean of the numbers that a window sees.

        y[n, c, p] = (sum over t of x[n, c, p * stride + t - pad]) / count

    where t are the elements of the window, and x is zero outside.

    Args: see PoolND, and
        includePad: whether count is the size of the window, or else the number of elements of x
            in it.
    """

    def __init__(self, nd, size=2, stride=2, pad=0, includePad=True, name=None):
        super().__init__(nd, size, stride, pad, name)
        self.registerBlueprint(locals())
        self.includePad = includePad

    def updateData(self, data):
        self.data = Ops.avgPool(data, self.geometry(data.shape), self.includePad)

    def updateGrad(self, grad):
        self.grad = Ops.avgPoolBackward(
            grad, self.geometry(self.inData.shape), self.includePad)
