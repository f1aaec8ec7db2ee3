import math

import numpy as np

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Backend.Ops import BatchNorm as Ops
from minidl.Backend.Ops import BatchNormInfer as InferOps
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import sumType
from minidl.Modules.Module import Module, converted


class BatchNormND(Module):
    """
    Brings every map of a batch to zero mean and unit variance, then scales and shifts it.

        y = scale * (x - mean) / sqrt(var + epsilon) + bias

    In training mode mean and var are those of the batch (var divides by the count). The running
    `mean` and `var` follow them, and take their place in evaluation mode:

        running = (1 - factor) * running + factor * batch
        factor = max(initFactor / n, minFactor)

    for the n-th batch, where the batch's var divides by the count less one. (Ioffe, Szegedy 2015)

    Args:
        nd: number of axes behind (batch, maps).
        maps: size of axis 1; each map has its own statistics, scale and bias.
        epsilon: added to var, to divide by no zero; at least 1e-5.
        initFactor, minFactor: weights of the first and of late batches in the running statistics.
        sscale: scale starts as normal around 1 with this deviation.
        affine: whether scale and bias are trained; else they stay 1 and 0.
        empty: make no parameters and no statistics.
        inplace: the output takes the place of the input; in evaluation mode only.

    Variables: scale, bias; attributes: mean, var, all of shape (1, maps, 1, ..., 1), and
    numOfProps, the number n of batches seen. For data of 16 bits they are float32. Data: (batch,
    maps, size 1, ..., size nd).
    """

    def __init__(self, nd, maps, epsilon=1e-5, initFactor=1.0, minFactor=0.1, sscale=0.01,
                 affine=True, name=None, empty=False, inplace=False):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.nd, self.maps, self.epsilon = nd, maps, epsilon
        self.initFactor, self.minFactor = initFactor, minFactor
        self.affine, self.inplace = affine, inplace
        self.checkArguments(sscale)
        if inplace and Config.showWarnings:
            Config.getLogger().warning("%s is in place: for evaluation mode only", self)

        self.saved = self.paramSteps = None
        self.scale = self.bias = self.mean = self.var = None
        self.setAttr("numOfProps", np.zeros((), np.int64))
        if not empty:
            self.makeParams(sscale)

    def checkArguments(self, sscale):
        if not (isinstance(self.maps, (int, np.integer)) and self.maps > 0):
            self.fail(f"the number of maps must be a positive integer, got {self.maps}")
        if not self.epsilon >= Ops.leastEpsilon:
            self.fail(f"epsilon must be at least {Ops.leastEpsilon}, got {self.epsilon}")
        if not (self.initFactor >= 0 and 0 <= self.minFactor <= 1):
            self.fail(f"need initFactor >= 0 and minFactor from 0 to 1, got {self.initFactor} and "
                      f"{self.minFactor}")
        if not sscale >= 0:
            self.fail(f"sscale must be at least 0, got {sscale}")

    def makeParams(self, sscale):
        shape, dtype = self.paramShape(), self.paramType()
        scale = np.random.normal(1.0, sscale, shape) if self.affine else np.ones(shape)
        if self.affine:
            self.newVar("scale", scale)
            self.newVar("bias", np.zeros(shape))
        else:
            self.scale = gpuarray.to_gpu(scale.astype(dtype))
            self.bias = gpuarray.zeros(shape, dtype)
        self.setAttr("mean", gpuarray.zeros(shape, dtype))
        self.setAttr("var", gpuarray.to_gpu(np.ones(shape, dtype)))

    def paramType(self):
        return sumType(self.calctype)

    def paramShape(self):
        return (1, self.maps) + (1,) * self.nd

    def updateData(self, data):
        if not self.train:
            self.data = InferOps.infer(
                data, self.scale, self.bias, self.mean, self.var, self.epsilon,
                out=data if self.inplace else None)
            return

        factor = min(max(self.initFactor / (int(self.numOfProps) + 1), self.minFactor), 1.0)
        self.data, *self.saved = Ops.train(
            data, self.scale, self.bias, self.mean, self.var, self.epsilon, factor)
        self.numOfProps += 1

    def updateGrad(self, grad):
        if self.train:
            grads = Ops.backward(self.inData, grad, self.scale, self.bias, *self.saved)
        else:
            grads = InferOps.inferBackward(
                self.inData, grad, self.scale, self.mean, self.var, self.epsilon)
        self.grad, *self.paramSteps = grads[:3]

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        if not self.affine:
            return
        if self.paramSteps is None:  # backward(updGrad=False): one kernel yields all three
            _, *self.paramSteps, _ = Ops.backward(
                self.inData, grad, self.scale, self.bias, *self.saved)
        for var, step in zip((self.vars["scale"], self.vars["bias"]), self.paramSteps, strict=True):
            if var.grad is not None:
                Vector.addScaled(step, var.grad, out=var.grad, alpha=scale, beta=momentum)
        self.paramSteps = None

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        if self.inplace and self.data is not None:
            self.fail("has overwritten its input, which backward needs: make it with inplace=False")
        self.paramSteps = None
        super().backward(grad, updParamGrads, updGrad, scale, momentum)

    def checkDataShape(self, shape):
        if len(shape) != self.nd + 2 or shape[1] != self.maps:
            sizes = ", ".join(["batch", str(self.maps), *self.axisNames()])
            self.fail(f"data must have {self.nd + 2} axes and {self.maps} maps, (" + sizes
                      + f"), got {shape}")
        if self.scale is None or self.bias is None or self.mean is None or self.var is None:
            self.fail("was made with empty=True: set scale, bias (setVar) and mean, var (setAttr)")
        if self.train and self.inplace:
            self.fail("using inplace flag in train mode is prohibited")
        size = math.prod(shape)
        if size >= 2 ** 31:
            self.fail(f"data must have fewer than 2**31 numbers, got shape {shape}")
        count = size // self.maps
        if count < (2 if self.train else 1):
            self.fail(f"data must have {'two or more values' if count else 'a value'} a map"
                      f"{' to train on' if self.train else ''}, got shape {shape}")

    def axisNames(self):
        return {1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"]}.get(
            self.nd, [f"size {axis + 1}" for axis in range(self.nd)])

    def attrMissing(self, name):
        # A file of PuzzleLib's has no count: go on as after many batches, and keep its statistics.
        if name == "numOfProps":
            return np.int64(2 ** 31)
        return super().attrMissing(name)

    def attrProblem(self, name, value):
        if name == "var" and not (np.isfinite(value).all() and (value >= 0).all()):
            return "must be finite and not negative"
        if name == "numOfProps" and value < 0:
            return "must not be negative"
        return super().attrProblem(name, value)

    def calcMode(self, T):
        super().calcMode(T)
        if not self.affine and self.scale is not None:
            self.scale = converted(self.scale, self.paramType())
            self.bias = converted(self.bias, self.paramType())

    def reset(self):
        super().reset()
        self.saved = self.paramSteps = None
