from minidl.Backend.Ops import Vector
from minidl.Modules.Module import Module, isCount


class Replicate(Module):
    """
    The same array several times, for a Parallel behind it.

        y_1 = y_2 = ... = x,    dx = dy_1 + dy_2 + ...

    Args:
        times: how often.

    Data: any shape -> a list of the very array.
    """

    def __init__(self, times, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        if not isCount(times):
            self.fail(f"times must be a positive integer, got {times}")
        self.times, self.movesData, self.movesGrad = times, True, times == 1

    def updateData(self, data):
        self.data = [data] * self.times

    def updateGrad(self, grad):
        self.grad = grad[0]
        for at, each in enumerate(grad[1:]):
            self.grad = Vector.addScaled(self.grad, each, out=self.grad if at else None)

    def checkGradShape(self, shape):
        expected = [self.inData.shape] * self.times
        if shape != expected:
            self.fail(f"grad must be a list of arrays of the shapes {expected}, got {shape}")

    def dataShapeFrom(self, shape):
        return [shape] * self.times

    def gradShapeFrom(self, shape):
        return shape[0]
