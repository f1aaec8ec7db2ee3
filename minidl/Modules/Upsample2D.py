from minidl.Modules.UpsampleND import UpsampleMode, UpsampleND


class Upsample2D(UpsampleND):
    """
    Makes the maps of images larger by whole factors: see UpsampleND for the formula and arguments.

    Data: (batch, maps, height, width).
    """

    def __init__(self, scale=2, mode=UpsampleMode.nearest, name=None):
        super().__init__(2, scale, mode, name)
        self.registerBlueprint(locals())
