from math import prod

from minidl.Backend.Ops import SoftMax as Ops
from minidl.Modules.Module import Module


class SoftMax(Module):
    """
    Turns scores into probabilities over axis 1, at each position of the axes behind it.

        y_c = exp(x_c) / sum over k of exp(x_k)
        dL/dx_c = y_c (g_c - sum over k of g_k y_k),    g = dL/dy

    Data: (batch, maps, ...); the result has the same shape. It is finite for any finite scores.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.gradUsesOutData = True

    def updateData(self, data):
        self.data = Ops.forward(data)

    def updateGrad(self, grad):
        self.grad = Ops.backward(self.data, grad.reshape(self.data.shape))

    def checkDataShape(self, shape):
        if len(shape) < 2 or shape[1] < 1:
            self.fail(f"data must have shape (batch, maps, ...), got {shape}")

    def checkGradShape(self, shape):
        # The axes of size 1 behind the maps may be left out or added.
        if shape[:2] != self.data.shape[:2] or prod(shape) != self.data.size:
            self.fail(f"grad must have the shape of data {self.data.shape}, got {shape}")
