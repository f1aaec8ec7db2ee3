from minidl.Modules.PadND import PadMode, PadND


class Pad1D(PadND):
    """
    Makes the maps of sequences longer: see PadND for the formula and arguments; pad is a number or
    (left, right).

    Data: (batch, maps, length).
    """

    def __init__(self, pad, mode=PadMode.constant, fillValue=None, name=None):
        super().__init__(1, pad, mode, fillValue, name)
        self.registerBlueprint(locals())
