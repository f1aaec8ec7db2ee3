from minidl.Modules.BatchNormAxes import BatchNormAxes
from minidl.Modules.Module import isCount


class BatchNormND(BatchNormAxes):
    """
    Batch normalization of maps, over the batch and all axes of space: see BatchNormAxes for the
    formula.

    Args:
        nd: number of axes behind (batch, maps).
        maps: size of axis 1; each map has its own statistics, scale and bias.
        others, options: as BatchNormAxes's; the options by name only.

    Variables and attributes have shape (1, maps, 1, ..., 1). Data: (batch, maps, size 1, ...,
    size nd).
    """

    def __init__(self, nd, maps, epsilon=1e-5, initFactor=1.0, minFactor=0.1, sscale=0.01,
                 affine=True, name=None, empty=False, inplace=False, **options):
        self.nd, self.maps = nd, maps
        super().__init__((None, maps) + (None,) * nd, "spatial", epsilon, initFactor, minFactor,
                         sscale, affine, name, empty, inplace, **options)
        self.registerBlueprint(locals())

    def takeShape(self, shape, axes):
        if not isCount(self.maps):
            self.fail(f"the number of maps must be a positive integer, got {self.maps}")
        super().takeShape(shape, axes)

    def checkDataShape(self, shape):
        if len(shape) != self.nd + 2 or shape[1] != self.maps:
            sizes = ", ".join(["batch", str(self.maps), *self.axisNames()])
            self.fail(f"data must have {self.nd + 2} axes and {self.maps} maps, ({sizes}), got "
                      f"{shape}")
        self.checkReady()
        self.checkCount(shape)

    def axisNames(self):
        return {1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"]}.get(
            self.nd, [f"size {axis + 1}" for axis in range(self.nd)])
