from minidl.Modules.ConvND import ConvND


class Conv3D(ConvND):
    """
    Convolution of the maps of volumes: see ConvND for the formula and arguments.

    Data: (batch, inmaps, depth, height, width).
    """

    def __init__(self, inmaps, outmaps, size, stride=1, pad=0, dilation=1, wscale=1.0, useBias=True,
                 name=None, initscheme=None, empty=False, groups=1):
        super().__init__(3, inmaps, outmaps, size, stride, pad, dilation, wscale, useBias, name,
                         initscheme, empty, groups)
        self.registerBlueprint(locals())
