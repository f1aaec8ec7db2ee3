from minidl.Modules.AvgPoolND import AvgPoolND


class AvgPool3D(AvgPoolND):
    """
    Mean of each window of volumes: see AvgPoolND for the formula and arguments.

    Data: (batch, maps, depth, height, width).
    """

    def __init__(self, size=2, stride=2, pad=0, includePad=True, name=None):
        super().__init__(3, size, stride, pad, includePad, name)
        self.registerBlueprint(locals())
