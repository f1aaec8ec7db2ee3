import numpy as np

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Backend.Ops.MatMul import matMul
from minidl.Modules.Activation import isRelu
from minidl.Modules.Affine import Affine
from minidl.Modules.BatchNorm import BatchNorm
from minidl.Modules.InitScheme import createTensorWithScheme
from minidl.Modules.Module import Module


class Linear(Affine, Module):
    """
    An affine map of each sample.

        y = x W + b,    or  y = x W^T + b  if transpose

    Args:
        insize, outsize: sizes of a sample before and after.
        wscale: scale of the schemes "gaussian" and "uniform".
        useBias: whether there is b.
        initscheme: see InitScheme.createTensorWithScheme; "none" leaves W uninitialised.
        empty: make neither W nor b; setVar gives them later (tied weights).
        transpose: W is kept as (outsize, insize).

    Variables: W (insize, outsize), b (outsize,), which starts at zero.
    Data: (batch, insize) -> (batch, outsize).
    """

    def __init__(self, insize, outsize, wscale=1.0, useBias=True, initscheme=None, name=None,
                 empty=False, transpose=False):
        super().__init__(name)
        self.registerBlueprint(locals())
        if min(insize, outsize) < 1:
            self.fail(f"insize and outsize must be positive, got {insize} and {outsize}")

        self.insize, self.outsize = insize, outsize
        self.useBias, self.transpose = useBias, transpose
        self.W = self.b = None
        if empty:
            return

        shape = (outsize, insize) if transpose else (insize, outsize)
        W = createTensorWithScheme(initscheme, shape, wscale, factorTranspose=transpose)
        self.newVar("W", gpuarray.empty(shape).get() if W is None else W)
        if useBias:
            self.newVar("b", np.zeros(self.biasShape()))

    def updateData(self, data):
        self.data = matMul(data, self.W, bias=self.b, transB=self.transpose)

    def fusable(self, followers):
        # A subclass may compute something else.
        return int(type(self) is Linear and len(followers) > 0 and isRelu(followers[0]))

    def updateFused(self, data, followers, added=None):
        follower, = followers
        self.data = gpuarray.empty(self.dataShapeFrom(data.shape), data.dtype)
        follower.inData = self.data
        follower.data = self.data if follower.inplace else gpuarray.empty(
            self.data.shape, data.dtype)
        matMul(data, self.W, out=self.data, bias=self.b, relu=follower.data, transB=self.transpose)

    def updateGrad(self, grad):
        self.grad = matMul(grad, self.W, transB=not self.transpose)

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        left, right = (grad, self.inData) if self.transpose else (self.inData, grad)
        if (W := self.vars["W"]).grad is not None:
            matMul(left, right, out=W.grad, transA=True, alpha=scale, beta=momentum)
        if self.useBias and (b := self.vars["b"]).grad is not None:
            Vector.sumRows(grad, out=b.grad, alpha=scale, beta=momentum)

    def newNorm(self, **options):
        return BatchNorm(self.outsize, **options)

    def biasShape(self):
        return (self.outsize,)

    def alongOut(self, values):
        return values[:, None] if self.transpose else values

    def checkDataShape(self, shape):
        self.checkReady()
        if len(shape) != 2 or shape[1] != self.insize:
            self.fail(f"data must have shape (batch, {self.insize}), got {shape}")

    def dataShapeFrom(self, shape):
        return shape[0], self.outsize

    def gradShapeFrom(self, shape):
        return shape[0], self.insize
