import enum

from minidl.Backend.Ops import Upsample as Ops
from minidl.Modules.MapsModule import MapsModule


class UpsampleMode(str, enum.Enum):
    nearest = "nearest"
    linear = "linear"


class UpsampleND(MapsModule):
    """
    Makes maps larger by whole factors.

        nearest      y[p] = x[p // scale]
        linear       y[p] = (1 - f) x[i] + f x[i + 1],    i + f = p (size - 1) / (outSize - 1),
                     along each axis: the first and the last number stay where they are

    Args:
        nd: number of axes behind (batch, maps), 2 or 3.
        scale: how many times as large, or a number for each axis.
        mode: one of the words above.

    Data: (batch, maps, *sizes) -> (batch, maps, *sizes * scale).
    """

    def __init__(self, nd, scale=2, mode=UpsampleMode.nearest, name=None):
        super().__init__(nd, name)
        self.registerBlueprint(locals())
        self.scale = self.perAxis("scale", scale, 1)
        try:
            self.mode = UpsampleMode(mode)
        except ValueError:
            self.fail(f"mode must be nearest or linear, got {mode}")

    def updateData(self, data):
        forward = Ops.nearest if self.mode == UpsampleMode.nearest else Ops.linear
        self.data = forward(data, self.scale)

    def updateGrad(self, grad):
        isNearest = self.mode == UpsampleMode.nearest
        backward = Ops.nearestBackward if isNearest else Ops.linearBackward
        self.grad = backward(grad, self.scale)

    def dataShapeFrom(self, shape):
        return Ops.upShape(shape, self.scale)
