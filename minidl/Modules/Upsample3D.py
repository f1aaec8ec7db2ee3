from minidl.Modules.UpsampleND import UpsampleMode, UpsampleND


class Upsample3D(UpsampleND):
    """
    Makes the maps of volumes larger by whole factors: see UpsampleND for the formula and arguments.

    Data: (batch, maps, depth, height, width).
    """

    def __init__(self, scale=2, mode=UpsampleMode.nearest, name=None):
        super().__init__(3, scale, mode, name)
        self.registerBlueprint(locals())
