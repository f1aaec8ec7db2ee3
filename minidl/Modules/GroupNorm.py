from math import prod

from minidl.Modules.Module import isCount
from minidl.Modules.SampleNorm import SampleNorm


class GroupNorm(SampleNorm):
    """
    Normalizes each sample over groups of neighbouring maps: see SampleNorm for the formula.
    (Wu, He 2018)

    Args:
        groups: number of groups, which divides maps.
        maps: size of axis 1; each has its own scale and bias.
        epsilon: added to var, to divide by no zero; at least 1e-5.
        affine: whether there are scale and bias.

    Variables: scale, bias, of shape (maps,). Data: (batch, maps, any further axes).
    """

    def __init__(self, groups, maps, epsilon=1e-5, affine=True, name=None):
        super().__init__(epsilon, affine, name)
        self.registerBlueprint(locals())
        if not (isCount(groups) and isCount(maps) and maps % groups == 0):
            self.fail(f"groups must divide maps, both positive integers, got {groups} and {maps}")
        self.groups, self.maps = groups, maps
        self.makeParams(self.paramShape())

    def paramShape(self):
        return (self.maps,)

    def groupRuns(self, shape):
        return 1, shape[0] * self.groups, self.maps // self.groups * prod(shape[2:])

    def paramRuns(self, shape):
        return shape[0], self.maps, prod(shape[2:])

    def checkDataShape(self, shape):
        if len(shape) < 2 or shape[1] != self.maps:
            self.fail(f"data must have shape (batch, {self.maps}, ...), got {shape}")
        self.checkCount(shape, 2)
