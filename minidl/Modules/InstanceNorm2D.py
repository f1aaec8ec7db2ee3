from minidl.Modules.GroupNorm import GroupNorm


class InstanceNorm2D(GroupNorm):
    """
    Normalizes each map of each sample: see SampleNorm for the formula. (Ulyanov et al. 2016)

    Args:
        numOfMaps: size of axis 1; each has its own scale and bias.
        epsilon: added to var, to divide by no zero; at least 1e-5.
        affine: whether there are scale and bias.

    Variables: scale, bias, of shape (1, numOfMaps, 1, 1). Data: (batch, numOfMaps, height, width).
    """

    def __init__(self, numOfMaps, epsilon=1e-5, affine=True, name=None):
        super().__init__(numOfMaps, numOfMaps, epsilon, affine, name)
        self.registerBlueprint(locals())

    def paramShape(self):
        return 1, self.maps, 1, 1

    def checkDataShape(self, shape):
        if len(shape) != 4:
            self.fail(f"data must have shape (batch, {self.maps}, height, width), got {shape}")
        super().checkDataShape(shape)
