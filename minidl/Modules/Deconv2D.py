from minidl.Modules.DeconvND import DeconvND


class Deconv2D(DeconvND):
    """
    Transposed convolution of the maps of images: see DeconvND for the formula and arguments.

    Data: (batch, inmaps, height, width).
    """

    def __init__(self, inmaps, outmaps, size, stride=1, pad=0, dilation=1, postpad=0, wscale=1.0,
                 useBias=True, name=None, initscheme=None, empty=False, groups=1):
        super().__init__(2, inmaps, outmaps, size, stride, pad, dilation, postpad, wscale,
                         useBias, name, initscheme, empty, groups)
        self.registerBlueprint(locals())
