from minidl.Modules.BatchNormND import BatchNormND


class BatchNorm1D(BatchNormND):
    """
    Batch normalization of the maps of sequences: see BatchNormAxes for the formula and arguments.

    Variables and attributes have shape (1, maps, 1, 1), as in PuzzleLib.
    Data: (batch, maps, length).
    """

    def __init__(self, maps, epsilon=1e-5, initFactor=1.0, minFactor=0.1, sscale=0.01, affine=True,
                 name=None, empty=False, inplace=False, **options):
        super().__init__(1, maps, epsilon, initFactor, minFactor, sscale, affine, name, empty,
                         inplace, **options)
        self.registerBlueprint(locals())

    def paramShape(self):
        return 1, self.maps, 1, 1
