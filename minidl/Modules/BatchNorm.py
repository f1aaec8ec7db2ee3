from minidl.Modules.BatchNormND import BatchNormND


class BatchNorm(BatchNormND):
    """
    Batch normalization of vectors, after a Linear for example: see BatchNormAxes for the formula.

    Args:
        size: number of features, the size of axis 1.
        others, options: as BatchNormAxes's; the options by name only.

    Variables and attributes have shape (1, size, 1, 1). Data: (batch, size).
    """

    def __init__(self, size, epsilon=1e-5, initFactor=1.0, minFactor=0.1, sscale=0.01, affine=True,
                 name=None, empty=False, inplace=False, **options):
        super().__init__(0, size, epsilon, initFactor, minFactor, sscale, affine, name, empty,
                         inplace, **options)
        self.registerBlueprint(locals())

    def paramShape(self):
        return 1, self.maps, 1, 1
