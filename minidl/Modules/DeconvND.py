from minidl.Backend.ConvGeometry import geometry, ofThree
from minidl.Backend.Ops import Conv as Ops
from minidl.Modules.ConvND import ConvND


class DeconvND(ConvND):
    """
    Adds up filters that lie all over the output, each times a number of data: the transpose of a
    convolution, so that the forward of one is the backward of the other. (Zeiler et al. 2010)

        y[n, o, p] = b[o] + sum over i, q, t of W[i, o, t] x[n, i, q]
                     where q * stride + t * dilation - pad = p

    where i are the maps of o's group, t the elements of a filter.

    Args: see ConvND, but
        pad: how much of the result is left out at both ends.
        postpad: places added at the end, fewer than stride or than dilation: a convolution in
            steps of stride comes from outputs of several sizes to the same number of places.

    Variables: W (inmaps, outmaps / groups, *size), b (1, outmaps, 1, ..., 1), which starts at zero.
    Data: (batch, inmaps, *sizes) -> (batch, outmaps, *places), with
    places = (size - 1) stride + dilation (filter - 1) + 1 - 2 pad + postpad.
    """

    insComeFirst = True

    def __init__(self, nd, inmaps, outmaps, size, stride=1, pad=0, dilation=1, postpad=0,
                 wscale=1.0, useBias=True, name=None, initscheme=None, empty=False, groups=1):
        super().__init__(nd, inmaps, outmaps, size, stride, pad, dilation, wscale, useBias, name,
                         initscheme, empty, groups)
        self.registerBlueprint(locals())
        self.postpad = self.perAxis("postpad", postpad, 0)
        if not all(post < max(steps) for post, *steps in zip(
                self.postpad, self.stride, self.dilation, strict=True)):
            self.fail(f"postpad must be less than stride {self.stride} or dilation "
                      f"{self.dilation}, got {self.postpad}")

    def filterShape(self):
        return self.inmaps, self.outmaps // self.groups, *self.imageAxes, *self.size

    def updateData(self, data):
        self.data = Ops.inputGrad(data, self.W, self.geometry(data.shape), self.b)

    def updateGrad(self, grad):
        self.grad = Ops.forward(grad, self.W, None, self.geometry(self.inData.shape))

    def accFilterGrad(self, grad, W, b, scale, momentum):
        Ops.filterGrad(grad, self.inData, self.geometry(self.inData.shape), W, scale, momentum)
        return b

    def geometry(self, shape):
        """Of the convolution that takes what comes out of data of `shape` to it."""
        outShape = self.dataShapeFrom(shape)
        g = geometry(
            outShape, self.windowShape(), self.stride, self.pad, self.dilation, self.groups)
        # With a postpad of a stride or more it would go to one place more.
        return g._replace(places=ofThree(shape[2:], 1), outShape=shape)

    def dataShapeFrom(self, shape):
        places = tuple(
            (n - 1) * stride + dilation * (size - 1) + 1 - 2 * pad + postpad
            for n, size, stride, pad, dilation, postpad in zip(
                shape[2:], self.size, self.stride, self.pad, self.dilation, self.postpad,
                strict=True))
        if min(places) < 1:
            self.fail(f"pad {self.pad} leaves nothing of the output, whose sizes would be {places}")
        return shape[0], self.outmaps, *places

    def alongOut(self, values):
        values = values.reshape(self.groups, -1).repeat(self.inmaps // self.groups, axis=0)
        return values.reshape(*values.shape, *(1,) * (self.W.ndim - 2))
