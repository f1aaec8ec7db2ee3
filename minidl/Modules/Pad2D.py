from minidl.Modules.PadND import PadMode, PadND


class Pad2D(PadND):
    """
    Makes the maps of images larger: see PadND for the formula and arguments; pad is a number or
    (up, bottom, left, right).

    Data: (batch, maps, height, width).
    """

    def __init__(self, pad, mode=PadMode.constant, fillValue=None, name=None):
        super().__init__(2, pad, mode, fillValue, name)
        self.registerBlueprint(locals())
