from math import prod

from minidl.Backend.Ops import GlobalAvgPool as Ops
from minidl.Modules.Module import Module


class GlobalAvgPool(Module):
    """
    The mean of each map.

        y[n, c] = mean over all i of x[n, c, i]

    Data: (batch, maps, one or more sizes) -> (batch, maps). (Lin, Chen, Yan 2013)
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())

    def updateData(self, data):
        self.data = Ops.globalAvgPool(data)

    def updateGrad(self, grad):
        self.grad = Ops.globalAvgPoolBackward(grad, self.inData.shape)

    def checkDataShape(self, shape):
        if len(shape) < 3:
            self.fail(f"data must have shape (batch, maps, one or more sizes), got {shape}")
        if not 0 < prod(shape) < 2 ** 31:
            self.fail(f"data must have from 1 to 2**31 - 1 numbers, got shape {shape}")

    def dataShapeFrom(self, shape):
        return shape[:2]

    def gradShapeFrom(self, shape):
        return self.inData.shape
