from minidl.Backend.Ops import SubtractMean as Ops
from minidl.Modules.MapsModule import MapsModule
from minidl.Modules.Module import isCount


class SubtractMean(MapsModule):
    """
    Takes from each number the mean of the size x size numbers around it, in its own map.

        y = x - mean of x over the window

    Args:
        size: of the window, odd and above 1.
        includePad: whether places beyond the edges count, as zeros.

    Attributes: means, of the last data; size and pad, (height, width) of the window and of what it
    may stand out. Data: (batch, maps, height, width); the result has the same shape.
    """

    def __init__(self, size=5, includePad=True, name=None):
        super().__init__(2, name)
        self.registerBlueprint(locals())
        if not isCount(size) or size % 2 == 0 or size == 1:
            self.fail(f"size must be an odd integer above 1, got {size}")
        self.size, self.pad, self.includePad = (size, size), (size // 2, size // 2), includePad
        self.means = None

    def updateData(self, data):
        self.means = Ops.localMeans(data, self.size[0], self.includePad)
        self.data = Ops.forward(data, self.means)

    def updateGrad(self, grad):
        self.grad = Ops.backward(grad, self.size[0], self.includePad)

    def reset(self):
        super().reset()
        self.means = None
