from minidl.Modules.AvgPoolND import AvgPoolND


class AvgPool2D(AvgPoolND):
    """
    Mean of each window of images: see AvgPoolND for the formula and arguments.

    Data: (batch, maps, height, width).
    """

    def __init__(self, size=2, stride=2, pad=0, includePad=True, name=None):
        super().__init__(2, size, stride, pad, includePad, name)
        self.registerBlueprint(locals())
