from minidl.Modules.AvgPoolND import AvgPoolND


class AvgPool1D(AvgPoolND):
    """
    Mean of each window of sequences: see AvgPoolND for the formula and arguments.

    Data: (batch, maps, length).
    """

    def __init__(self, size=2, stride=2, pad=0, includePad=True, name=None):
        super().__init__(1, size, stride, pad, includePad, name)
        self.registerBlueprint(locals())
