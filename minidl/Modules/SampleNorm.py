import math

import numpy as np

from minidl.Backend import gpuarray
from minidl.Backend.Ops import BatchNorm as Ops
from minidl.Backend.Ops import BatchNormInfer as InferOps
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import sumType
from minidl.Modules.Module import Module


class SampleNorm(Module):
    """
    Brings groups of numbers of each sample to zero mean and unit variance, then scales and shifts.

        y = scale * xHat + bias,    xHat = (x - mean) / sqrt(var + epsilon)

    where mean and var (divided by the count) are those of a group, in every mode: there are no
    running statistics. A subclass says which numbers make a group, and share a scale and a bias:
        groupRuns(shape)   (1, groups of all samples, numbers in a group)
        paramRuns(shape)   (outer, parameters, inner), as in Ops/BatchNorm.py
    `savemean` and `saveinvvar` are each group's mean and 1 / sqrt(var + epsilon) in the last call.
    """

    def __init__(self, epsilon, affine, name):
        super().__init__(name)
        if not epsilon >= Ops.leastEpsilon:
            self.fail(f"epsilon must be at least {Ops.leastEpsilon}, got {epsilon}")
        self.epsilon, self.affine = epsilon, affine
        self.scale = self.bias = None
        self.letGo()

    def makeParams(self, shape):
        if self.affine:
            self.newVar("scale", np.ones(shape))
            self.newVar("bias", np.zeros(shape))

    def paramType(self):
        return sumType(self.calctype)

    def updateData(self, data):
        runs = self.groupRuns(data.shape)
        zero, one = self.constants(runs[1])
        self.normal, self.savemean, self.saveinvvar = Ops.train(
            data, one, zero, self.epsilon, runs=runs)
        self.data = self.normal if not self.affine else InferOps.infer(
            self.normal, self.scale, self.bias, *self.constants(self.scale.size), 0.0,
            form=InferOps.inverse, runs=self.paramRuns(data.shape))

    def updateGrad(self, grad):
        grad, self.scalegrad, self.biasgrad = self.throughParams(grad)
        # xHat has mean 0 and deviation 1 already: what is left of invStd comes in as a scale.
        zero, one = self.constants(self.saveinvvar.size)
        self.grad = Ops.backward(self.normal, grad, self.saveinvvar, zero, zero, one,
                                 self.groupRuns(grad.shape))[0]

    def throughParams(self, grad):
        """The gradients of xHat, scale and bias."""
        if not self.affine:
            return grad, None, None
        return InferOps.inferBackward(
            self.normal, grad, self.scale, *self.constants(self.scale.size), 0.0,
            InferOps.inverse, self.paramRuns(grad.shape))[:3]

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        if not self.affine:
            return
        if self.scalegrad is None:
            _, self.scalegrad, self.biasgrad = self.throughParams(grad)
        for name, step in (("scale", self.scalegrad), ("bias", self.biasgrad)):
            if (var := self.vars[name]).grad is not None:
                Vector.addScaled(step, var.grad, out=var.grad, alpha=scale, beta=momentum)

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        self.scalegrad = self.biasgrad = None
        super().backward(grad, updParamGrads, updGrad, scale, momentum)

    def constants(self, size):
        """Arrays of so many zeros and ones."""
        if size > self.kept[0].size:
            self.kept = [gpuarray.to_gpu(np.full(size, value, self.paramType()))
                         for value in (0, 1)]
        return [array[:size] for array in self.kept]

    def checkCount(self, shape, least):
        size = math.prod(shape)
        if size >= 2 ** 31:
            self.fail(f"data must have fewer than 2**31 numbers, got shape {shape}")
        if size == 0 or (count := self.groupRuns(shape)[2]) < least:
            self.fail(f"data must have {least} numbers or more to normalize together, got "
                      f"{count if size else 0} in shape {shape}")

    def reset(self):
        super().reset()
        self.letGo()

    def letGo(self):
        self.normal = self.savemean = self.saveinvvar = self.scalegrad = self.biasgrad = None
        self.kept = [np.empty(0)] * 2
