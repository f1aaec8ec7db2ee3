from minidl.Backend.Ops import MaxUnpool as Ops
from minidl.Modules.MaxPoolND import MaxPoolND
from minidl.Modules.Module import Module


class MaxUnpool2D(Module):
    """
    Brings numbers back to where a max pool has found its maxima.

        y[n, c, i] = sum over p with mask[n, c, p] = i of x[n, c, p]

    where mask is what the pool left in its last call. An element that was the maximum of no window
    becomes zero, one of several windows their sum. (Zeiler, Fergus 2014)

    Args:
        maxpool2d: the pool, a MaxPool2D, which must be called first.

    Data: of the shape of the pool's output -> of the shape of its input.
    """

    def __init__(self, maxpool2d, name=None):
        super().__init__(name)
        self.registerBlueprint(locals(), exclude=["maxpool2d"])
        if not isinstance(maxpool2d, MaxPoolND):
            self.fail(f"maxpool2d must be a MaxPool2D, got {type(maxpool2d).__name__}")
        maxpool2d.withMask = True
        self.maxpool2d = maxpool2d
        self.mask = self.poolGeometry = None

    def updateData(self, data):
        self.mask, self.poolGeometry = self.maxpool2d.mask, self.lastGeometry()
        self.data = Ops.maxUnpool(data, self.mask, self.poolGeometry)

    def updateGrad(self, grad):
        self.grad = Ops.maxUnpoolBackward(grad, self.mask, self.poolGeometry)

    def lastGeometry(self):
        """Of the pool's last call."""
        return self.maxpool2d.geometry(self.maxpool2d.inData.shape)

    def checkDataShape(self, shape):
        if self.maxpool2d.mask is None:
            self.fail(f"{self.maxpool2d} must be called first")
        if shape != self.maxpool2d.mask.shape:
            self.fail(f"data must have the shape of what {self.maxpool2d} gave "
                      f"{self.maxpool2d.mask.shape}, got {shape}")

    def dataShapeFrom(self, shape):
        self.checkDataShape(shape)
        return self.lastGeometry().dataShape

    def gradShapeFrom(self, shape):
        return self.inData.shape

    def reset(self):
        super().reset()
        self.mask = self.poolGeometry = None
