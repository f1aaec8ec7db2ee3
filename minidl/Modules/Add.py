from minidl.Backend.Ops import Vector
from minidl.Modules.Module import Module


class Add(Module):
    """
    The sum of arrays.

        y = x_1 + x_2 + ...

    Data: a list of two arrays or more, of one shape, which y has too. Backward gives the very array
    of the gradient to each of them.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.movesGrad = True

    def updateData(self, data):
        self.data = Vector.addScaled(data[0], data[1])
        for each in data[2:]:
            Vector.addScaled(self.data, each, out=self.data)

    def updateGrad(self, grad):
        self.grad = [grad] * len(self.inData)

    def checkDataShape(self, shape):
        if not isinstance(shape, list) or len(shape) < 2 or any(
                each != shape[0] for each in shape):
            self.fail(f"data must be a list of two arrays or more of one shape, got {shape}")

    def dataShapeFrom(self, shape):
        return shape[0]

    def gradShapeFrom(self, shape):
        return [shape] * len(self.inData)
