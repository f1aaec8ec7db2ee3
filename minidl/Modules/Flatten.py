from math import prod

from minidl.Modules.Identity import Identity


class Flatten(Identity):
    """
    Makes one row of each sample, in the same memory.

    Data: (batch, ...) -> (batch, product of the rest).
    """

    def updateData(self, data):
        self.inshape = data.shape
        self.data = data.reshape(self.dataShapeFrom(data.shape))

    def updateGrad(self, grad):
        self.grad = grad.reshape(self.inshape)

    def checkDataShape(self, shape):
        if not shape:
            self.fail(f"data must have a batch axis, got shape {shape}")

    def dataShapeFrom(self, shape):
        return shape[0], prod(shape[1:])

    def gradShapeFrom(self, shape):
        return self.inshape
