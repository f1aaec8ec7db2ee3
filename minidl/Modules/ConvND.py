import numpy as np

from minidl.Backend import gpuarray
from minidl.Backend.ConvGeometry import geometry
from minidl.Backend.Ops import Conv as Ops
from minidl.Modules.Affine import Affine
from minidl.Modules.BatchNormND import BatchNormND
from minidl.Modules.InitScheme import createTensorWithScheme
from minidl.Modules.Module import isCount
from minidl.Modules.WindowND import WindowND


class ConvND(Affine, WindowND):
    """
    Slides filters over data: the cross-correlation of each group of maps with its filters.

        y[n, o, p] = b[o] + sum over i, t of W[o, i, t] x[n, i, p * stride + t * dilation - pad]

    where i are the maps of o's group, t the elements of a filter, and x is zero outside.

    Args:
        nd: number of axes behind (batch, maps), from 1 to 3.
        inmaps, outmaps: numbers of maps before and after.
        size: of a filter: a number, or one for each axis; so stride, pad and dilation.
        stride: steps from place to place.
        pad: zeros at both ends.
        dilation: steps from one element of a filter to the next.
        wscale: scale of the schemes "gaussian" and "uniform".
        useBias: whether there is b.
        initscheme: see InitScheme.createTensorWithScheme; "none" leaves W uninitialised.
        empty: make neither W nor b; setVar gives them later.
        groups: of maps, which divides both numbers; each is filtered by itself.

    Variables: W (outmaps, inmaps / groups, *size), b (1, outmaps, 1, ..., 1), which starts at zero.
    Data: (batch, inmaps, *sizes) -> (batch, outmaps, *places), with
    places = (size + 2 pad - dilation (filter - 1) - 1) // stride + 1.
    """

    imageAxes = ()  # sizes of 1 that W and b have before those of space
    insComeFirst = False  # in the shape of W

    def __init__(self, nd, inmaps, outmaps, size, stride=1, pad=0, dilation=1, wscale=1.0,
                 useBias=True, name=None, initscheme=None, empty=False, groups=1):
        super().__init__(nd, name)
        self.registerBlueprint(locals())
        self.inmaps, self.outmaps, self.groups = inmaps, outmaps, groups
        self.checkMaps()
        self.size, self.stride, self.dilation = (
            self.perAxis(word, value, 1)
            for word, value in (("size", size), ("stride", stride), ("dilation", dilation)))
        self.pad = self.perAxis("pad", pad, 0)

        self.useBias = useBias
        self.W = self.b = None
        if not empty:
            self.makeParams(initscheme, wscale)

    def makeParams(self, initscheme, wscale):
        shape = self.filterShape()
        W = createTensorWithScheme(
            initscheme, shape, wscale, factorTranspose=self.insComeFirst)
        self.newVar("W", gpuarray.empty(shape).get() if W is None else W)
        if self.useBias:
            self.newVar("b", np.zeros(self.biasShape()))

    def filterShape(self):
        return self.outmaps, self.inmaps // self.groups, *self.imageAxes, *self.size

    def biasShape(self):
        return 1, self.outmaps, *self.imageAxes, *(1,) * self.nd

    def updateData(self, data):
        self.data = Ops.forward(data, self.W, self.b, self.geometry(data.shape))

    def updateGrad(self, grad):
        self.grad = Ops.inputGrad(grad, self.W, self.geometry(self.inData.shape))

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        W, b = self.vars["W"].grad, self.vars["b"].grad if self.useBias else None
        if W is not None:
            b = self.accFilterGrad(grad, W, b, scale, momentum)
        if b is not None:
            Ops.biasGrad(grad, b, scale, momentum)

    def accFilterGrad(self, grad, W, b, scale, momentum):
        """Finds the gradient W, and b with it where that is one; returns what it leaves of b."""
        g = self.geometry(self.inData.shape)
        Ops.filterGrad(self.inData, grad, g, W, scale, momentum, bias=b)

    def geometry(self, shape):
        return geometry(
            shape, self.windowShape(), self.stride, self.pad, self.dilation, self.groups)

    def windowShape(self):
        """The shape of W in as many axes as data have."""
        return self.W.shape[:2] + self.W.shape[-self.nd:]

    def newNorm(self, **options):
        return BatchNormND(self.nd, self.outmaps, **options)

    def alongOut(self, values):
        return values.reshape(-1, *(1,) * (self.W.ndim - 1))

    # Checks

    def checkMaps(self):
        counts = self.inmaps, self.outmaps, self.groups
        if not all(map(isCount, counts)) or self.inmaps % self.groups or self.outmaps % self.groups:
            self.fail(f"groups must divide inmaps and outmaps, all positive integers, got "
                      f"inmaps={self.inmaps}, outmaps={self.outmaps} and groups={self.groups}")

    def checkDataShape(self, shape):
        self.checkReady()
        super().checkDataShape(shape)
