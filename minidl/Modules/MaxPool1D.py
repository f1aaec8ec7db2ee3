from minidl.Modules.MaxPoolND import MaxPoolND


class MaxPool1D(MaxPoolND):
    """
    Largest number of each window of sequences: see MaxPoolND for the formula and arguments.

    Data: (batch, maps, length).
    """

    def __init__(self, size=2, stride=2, pad=0, useMask=False, name=None):
        super().__init__(1, size, stride, pad, useMask, name)
        self.registerBlueprint(locals())
