from minidl.Modules.MaxPoolND import MaxPoolND


class MaxPool3D(MaxPoolND):
    """
    Largest number of each window of volumes: see MaxPoolND for the formula and arguments.

    Data: (batch, maps, depth, height, width).
    """

    def __init__(self, size=2, stride=2, pad=0, name=None):
        super().__init__(3, size, stride, pad, name=name)
        self.registerBlueprint(locals())
