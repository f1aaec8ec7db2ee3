from minidl.Backend.ConvGeometry import geometry
from minidl.Modules.ConvND import ConvND


class Conv1D(ConvND):
    """
    Convolution of the maps of sequences: see ConvND for the formula and arguments.

    Variables: W (outmaps, inmaps / groups, 1, size), b (1, outmaps, 1, 1), as in PuzzleLib.
    Data: (batch, inmaps, length).
    """

    def __init__(self, inmaps, outmaps, size, stride=1, pad=0, dilation=1, wscale=1.0, useBias=True,
                 name=None, initscheme=None, empty=False, groups=1):
        super().__init__(1, inmaps, outmaps, size, stride, pad, dilation, wscale, useBias, name,
                         initscheme, empty, groups)
        self.registerBlueprint(locals())

    def filterShape(self):
        return self.outmaps, self.inmaps // self.groups, 1, *self.size

    def biasShape(self):
        return 1, self.outmaps, 1, 1

    def geometry(self, shape):
        # W has the axis of images, as in PuzzleLib, and data have not.
        filterShape = self.W.shape[:2] + self.W.shape[3:]
        return geometry(shape, filterShape, self.stride, self.pad, self.dilation, self.groups)
