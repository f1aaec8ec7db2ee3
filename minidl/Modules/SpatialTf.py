from math import prod

from minidl.Backend.Ops import SpatialTf as Ops
from minidl.Modules.Module import Module, isCount


class SpatialTf(Module):
    """
    Spatial transformer: looks at maps through an affine grid. (Jaderberg et al. 2015)

        (u, v) = theta (X, Y, 1)
        y[n, c, p, q] = x[n, c] at (u, v), between the four numbers around it, and 0 outside

    where all coordinates run from -1, the middle of the first number, to 1, that of the last; X and
    u along the width, Y and v along the height. Along an axis of one number, X and Y are 0, and
    every place is that number. Where theta leads to NaN or infinity, y is NaN.

    Args:
        shape: (maps, height, width) of the output; None for those of the data.

    Data: a list of x (batch, maps, h, w) and theta (batch, 2, 3) -> (batch, *shape). The gradient
    is a list of dx and dtheta.
    """

    def __init__(self, shape=None, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        if shape is not None and not (
                isinstance(shape, (tuple, list)) and len(shape) == 3 and all(map(isCount, shape))):
            self.fail(f"shape must be three positive integers (maps, height, width) or None, got "
                      f"{shape}")
        self.shape = None if shape is None else tuple(shape)

    def updateData(self, data):
        x, theta = data
        self.data = Ops.forward(x, theta, self.dataShapeFrom([x.shape, theta.shape]))

    def updateGrad(self, grad):
        x, theta = self.inData
        self.grad = [Ops.dataGrad(grad, theta, x.shape), Ops.thetaGrad(x, theta, grad)]

    def checkDataShape(self, shape):
        if not isinstance(shape, list) or [len(each) for each in shape] != [4, 3] or (
                shape[1] != (shape[0][0], 2, 3)):
            self.fail(f"data must be a list of maps (batch, maps, height, width) and theta (batch, "
                      f"2, 3), got {shape}")
        maps = shape[0]
        if self.shape is not None and self.shape[0] != maps[1]:
            self.fail(f"data must have the {self.shape[0]} maps of shape {self.shape}, got {maps}")
        outShape = self.dataShapeFrom(shape)
        if not 0 < prod(maps) < 2 ** 31 or prod(outShape) >= 2 ** 31:
            self.fail(f"maps and output must have from 1 to 2**31 - 1 numbers, got {maps} and "
                      f"{outShape}")

    def dataShapeFrom(self, shape):
        return shape[0][0], *(self.shape or shape[0][1:])

    def gradShapeFrom(self, shape):
        return [each.shape for each in self.inData]
