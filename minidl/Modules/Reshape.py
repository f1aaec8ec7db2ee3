from math import prod

from minidl import Config
from minidl.Modules.Identity import Identity


class Reshape(Identity):
    """
    Gives the data another shape, in the same memory.

    Args:
        shape: the new shape; one size may be -1 and is found from the others, and a size of 0 is
            that of the data on the same axis.
        showWarnings: log a line when the batch axis changes.
    """

    def __init__(self, shape, showWarnings=True, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        if any(size < -1 for size in shape) or list(shape).count(-1) > 1:
            self.fail(f"shape must have sizes, 0 for unchanged, and at most one -1, got {shape}")
        self.shape, self.showWarnings = tuple(shape), showWarnings

    def updateData(self, data):
        self.inshape = data.shape
        self.data = data.reshape(self.dataShapeFrom(data.shape))
        if self.showWarnings and Config.showWarnings and self.data.shape[:1] != data.shape[:1]:
            Config.getLogger().warning(
                "%s changes the batch axis: %s to %s", self, data.shape, self.data.shape)

    def updateGrad(self, grad):
        self.grad = grad.reshape(self.inshape)

    def checkDataShape(self, shape):
        self.dataShapeFrom(shape)

    def dataShapeFrom(self, shape):
        if len(shape) < len(self.shape) and 0 in self.shape[len(shape):]:
            self.fail(f"data of shape {shape} has no axis for each 0 of {self.shape}")
        kept = {axis for axis, size in enumerate(self.shape) if size == 0}
        sizes = [shape[axis] if axis in kept else size for axis, size in enumerate(self.shape)]
        rest = prod(size for axis, size in enumerate(shape) if axis not in kept)
        known = prod(size for size in self.shape if size > 0)
        if -1 in sizes and rest % known == 0:
            sizes[sizes.index(-1)] = rest // known
        if -1 in sizes or prod(sizes) != prod(shape):
            self.fail(f"data of shape {shape} cannot take shape {self.shape}")
        return tuple(sizes)

    def gradShapeFrom(self, shape):
        return self.inshape
