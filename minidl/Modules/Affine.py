import numpy as np


class Affine:
    """
    What modules that multiply by weights W and add a bias b, or none, have in common, and what
    minidl.Passes asks of them.

    The module gives `newNorm(**options)`, a batch normalization of what comes out; biasShape(); and
    alongOut(values), a number for each map that comes out in a shape that numpy stretches over W.
    """

    def checkReady(self):
        if self.W is None:
            self.fail("has no weights: set them with setVar, or make it with empty=False")
        if self.useBias and self.b is None:
            self.fail("has no bias: set it with setVar, or make it with useBias=False")

    def dropBias(self):
        self.vars.pop("b", None)
        self.b, self.useBias = None, False
        self.blueprint["scheme"]["useBias"] = False

    def foldIn(self, slope, offset):
        """Changes W and b so that slope * y + offset comes out; host arrays, a number each map."""
        W = self.W.get().astype(np.float64) * self.alongOut(slope)
        self.W.set(W.astype(self.W.dtype))
        if self.b is None:
            self.newVar("b", offset.reshape(self.biasShape()))
            self.useBias = self.blueprint["scheme"]["useBias"] = True
        else:
            b = self.b.get().astype(np.float64).ravel() * slope + offset
            self.b.set(b.reshape(self.b.shape).astype(self.b.dtype))
