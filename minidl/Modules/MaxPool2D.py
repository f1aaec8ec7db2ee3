from minidl.Modules.MaxPoolND import MaxPoolND


class MaxPool2D(MaxPoolND):
    """
    Largest number of each window of images: see MaxPoolND for the formula and arguments.

    Data: (batch, maps, height, width).
    """

    def __init__(self, size=2, stride=2, pad=0, useMask=False, name=None):
        super().__init__(2, size, stride, pad, useMask, name)
        self.registerBlueprint(locals())
