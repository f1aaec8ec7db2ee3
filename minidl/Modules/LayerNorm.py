from math import prod

import numpy as np

from minidl.Modules.Module import isCount
from minidl.Modules.SampleNorm import SampleNorm


class LayerNorm(SampleNorm):
    """
    Normalizes each sample over its last axes: see SampleNorm for the formula.
    (Ba, Kiros, Hinton 2016)

    Args:
        shape: of the last axes, which scale and bias have too: an integer or several.
        epsilon: added to var, to divide by no zero; at least 1e-5.
        affine: whether there are scale and bias.

    Variables: scale, bias, of `shape`. Data: (batch, any further axes, *shape).
    """

    def __init__(self, shape, epsilon=1e-5, affine=True, name=None):
        super().__init__(epsilon, affine, name)
        self.registerBlueprint(locals())
        self.shape = tuple(np.atleast_1d(shape).tolist())
        if not self.shape or not all(map(isCount, self.shape)):
            self.fail(f"shape must be a positive integer or several, got {shape}")
        self.makeParams(self.shape)

    def groupRuns(self, shape):
        return 1, prod(shape[:-len(self.shape)]), prod(self.shape)

    def paramRuns(self, shape):
        return prod(shape[:-len(self.shape)]), prod(self.shape), 1

    def checkDataShape(self, shape):
        if len(shape) <= len(self.shape) or shape[-len(self.shape):] != self.shape:
            words = ", ".join(map(str, self.shape))
            self.fail(f"data must have shape (batch, ..., {words}), got {shape}")
        self.checkCount(shape, 1)
