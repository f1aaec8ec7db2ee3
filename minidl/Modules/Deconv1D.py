from minidl.Modules.DeconvND import DeconvND


class Deconv1D(DeconvND):
    """
    Transposed convolution of the maps of sequences: see DeconvND for the formula and arguments.

    Variables: W (inmaps, outmaps / groups, 1, size), b (1, outmaps, 1, 1), with the axes of images,
    as in PuzzleLib.
    Data: (batch, inmaps, length).
    """

    imageAxes = (1,)

    def __init__(self, inmaps, outmaps, size, stride=1, pad=0, dilation=1, postpad=0, wscale=1.0,
                 useBias=True, name=None, initscheme=None, empty=False, groups=1):
        super().__init__(1, inmaps, outmaps, size, stride, pad, dilation, postpad, wscale,
                         useBias, name, initscheme, empty, groups)
        self.registerBlueprint(locals())
