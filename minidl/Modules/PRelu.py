from math import prod

import numpy as np

from minidl.Backend.Ops import PRelu as Ops
from minidl.Modules.InputActivation import InputActivation
from minidl.Modules.Module import isCount


class PRelu(InputActivation):
    """
    A relu that learns how much of negative numbers it lets through.

        y[n, c, i] = x[n, c, i] where that is above 0, else slopes[c] x[n, c, i]

    (He, Zhang, Ren, Sun 2015)

    Args:
        maps: size of axis 1.
        inplace: the output takes the place of the input; in evaluation mode only.
        sharedMaps: whether all maps have one slope.

    Variables: slopes (maps,), or (1,) if shared; 0.25 at first.
    Data: (batch, maps, any further axes); the result has the same shape.
    """

    def __init__(self, maps, inplace=False, sharedMaps=False, name=None):
        super().__init__(inplace, name)
        self.registerBlueprint(locals())
        if not isCount(maps):
            self.fail(f"maps must be a positive integer, got {maps}")
        self.maps, self.sharedMaps = maps, sharedMaps
        self.newVar("slopes", np.full(1 if sharedMaps else maps, 0.25))

    def updateData(self, data):
        self.data = Ops.forward(data, self.slopes, out=data if self.inplace else None)

    def updateGrad(self, grad):
        self.grad = Ops.backward(self.inData, grad, self.slopes)

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        if (slopes := self.vars["slopes"]).grad is not None:
            Ops.slopesGrad(self.inData, grad, slopes.grad, scale, momentum)

    def checkDataShape(self, shape):
        super().checkDataShape(shape)
        if len(shape) < 2 or shape[1] != self.maps:
            self.fail(f"data must have shape (batch, {self.maps}, ...), got {shape}")
        if prod(shape) >= 2 ** 31:
            self.fail(f"data must have fewer than 2**31 numbers, got shape {shape}")
