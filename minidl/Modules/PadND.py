import enum
from numbers import Real

from minidl.Backend.Ops import Pad as Ops
from minidl.Modules.MapsModule import MapsModule


class PadMode(str, enum.Enum):
    constant = "constant"
    reflect = "reflect"


class PadND(MapsModule):
    """
    Makes maps larger on all sides.

        y[before + i] = x[i]
        constant     y = fillValue elsewhere
        reflect      y[before - i] = x[i] and y[before + size - 1 + i] = x[size - 1 - i], i > 0:
                     mirrored at the first and last number, which are not repeated

    The gradient of a number that reflect repeats is the sum of those of its copies.

    Args:
        nd: number of axes behind (batch, maps), 1 or 2.
        pad: numbers to add at the start and the end of each axis, or one for all of them. Those of
            reflect are smaller than the size of their axis.
        mode: one of the words above.
        fillValue: of constant; None is 0.

    Data: (batch, maps, *sizes) -> (batch, maps, *before + sizes + after).
    """

    def __init__(self, nd, pad, mode=PadMode.constant, fillValue=None, name=None):
        super().__init__(nd, name)
        self.registerBlueprint(locals())
        self.pad = self.perAxis("pad", pad, 0, 2 * nd)
        try:
            self.mode = PadMode(mode)
        except ValueError:
            self.fail(f"mode must be constant or reflect, got {mode}")
        if not isinstance(fillValue, (Real, type(None))):
            self.fail(f"fillValue must be a number or None, got {fillValue}")
        self.fillValue = 0.0 if fillValue is None else float(fillValue)

    def updateData(self, data):
        shape = self.dataShapeFrom(data.shape)
        if self.mode == PadMode.constant:
            self.data = Ops.constant(data, shape, self.pad[::2], self.fillValue)
        else:
            self.data = Ops.reflect(data, shape, self.pad[::2])

    def updateGrad(self, grad):
        backward = Ops.cut if self.mode == PadMode.constant else Ops.reflectBackward
        self.grad = backward(grad, self.inData.shape, self.pad[::2])

    def checkDataShape(self, shape):
        super().checkDataShape(shape)
        sizes = [size for size in shape[2:] for _ in range(2)]
        if self.mode == PadMode.reflect and any(
                pad >= size for pad, size in zip(self.pad, sizes, strict=True)):
            self.fail(f"reflect needs sizes above pad {self.pad}, got shape {shape}")

    def dataShapeFrom(self, shape):
        starts, ends = self.pad[::2], self.pad[1::2]
        sizes = zip(starts, shape[2:], ends, strict=True)
        return *shape[:2], *(start + size + end for start, size, end in sizes)
