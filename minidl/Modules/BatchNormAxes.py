import math
import numbers

import numpy as np

from minidl import Config
from minidl.Backend import Axes, gpuarray
from minidl.Backend.Ops import BatchNorm as Ops
from minidl.Backend.Ops import BatchNormInfer as InferOps
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import sumType
from minidl.Modules.FusedNorm import FusedNorm
from minidl.Modules.InitScheme import initialValues
from minidl.Modules.Module import converted, isCount


class BatchNormAxes(FusedNorm):
    """
    Brings every channel of a batch to zero mean and unit variance, then scales and shifts it. A
    channel is what has one place on the axes that are not normalized.

        y = scale * (x - mean) / sqrt(var + epsilon) + bias

    In training mode mean and var are those of the batch (var divides by the count). The running
    `mean` and `var` follow them, and take their place in evaluation mode:

        running = (1 - factor) * running + factor * batch
        factor = min(max(initFactor / n, minFactor), 1)

    for the n-th batch, where the batch's var divides by the count less one. (Ioffe, Szegedy 2015)

    Args:
        shape: of data; None for a size that is not known, which a normalized axis may have.
        axes: normalized together: "auto" or "spatial" for all but axis 1, "per-activation" for
            axis 0, an integer or several.
        epsilon: added to var, to divide by no zero; at least 1e-5.
        initFactor, minFactor: weights of the first and of late batches in the running statistics.
            1 and 0 make plain averages, 0 and m what others call a momentum of m, or of 1 - m.
        sscale: scale starts as normal around 1 with this deviation.
        affine: whether scale and bias are trained; else they stay 1 and 0.
        empty: make no parameters and no statistics.
        inplace: the output takes the place of the input; only with running statistics.
        trackRunningStats: whether there are running statistics; else those of the batch serve in
            evaluation mode too.
        unbiased: whether the running var follows the estimate that divides by the count less one;
            else that by the count, which can be had of a single value.
        fixScale: scale counts as 1 and its gradient as 0, whatever it holds.
        useGlobalStats: the running statistics serve in training mode too, and stay.
        runningStat: "var", or "invstd": `var` then is the average of 1 / sqrt(var + epsilon) of
            the batches, with the biased var.
        scaleInit, biasInit, meanInit, varInit: what the arrays start with instead: a number, an
            array of the channels, or a function that makes one for their shape.
        learnScale, learnBias: whether each is trained; else it stays as it starts, by default 1
            and 0.
        useAverages, updateAverages: whether the running statistics serve, and whether they move,
            in any mode; None leaves it to the mode. Both are attributes, and may be set later.

    Variables: scale, bias; attributes: mean, var, all of data's axes with 1 for each normalized
    one, and numOfProps, the number n of batches seen. For data of 16 bits they are float32. After
    a call that normalized with the batch, savemean and saveinvvar are its mean and
    1 / sqrt(var + epsilon).
    """

    def __init__(self, shape, axes="auto", epsilon=1e-5, initFactor=1.0, minFactor=0.1,
                 sscale=0.01, affine=True, name=None, empty=False, inplace=False, *,
                 trackRunningStats=True, unbiased=True, fixScale=False, useGlobalStats=False,
                 runningStat="var", scaleInit=None, biasInit=None, meanInit=None, varInit=None,
                 learnScale=True, learnBias=True, useAverages=None, updateAverages=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.epsilon, self.initFactor, self.minFactor = epsilon, initFactor, minFactor
        self.sscale, self.affine, self.inplace = sscale, affine, inplace
        self.trackRunningStats, self.unbiased, self.fixScale = trackRunningStats, unbiased, fixScale
        self.useGlobalStats, self.runningStat = useGlobalStats, runningStat
        self.learnScale, self.learnBias = affine and learnScale, affine and learnBias
        self.useAverages, self.updateAverages = useAverages, updateAverages
        self.inits = {"scale": scaleInit, "bias": biasInit, "mean": meanInit, "var": varInit}
        self.takeShape(shape, axes)
        self.checkArguments()
        if inplace and Config.showWarnings:
            Config.getLogger().warning("%s is in place: for evaluation mode only", self)

        self.letGo()
        self.scale = self.bias = self.mean = self.var = self.unit = self.numOfProps = None
        if self.trackRunningStats:
            self.setAttr("numOfProps", np.zeros((), np.int64))
        if fixScale:
            self.unit = self.asParam(np.ones(self.paramShape()))
        if not empty:
            self.makeParams()

    # What it is made of

    def takeShape(self, shape, axes):
        if not isinstance(shape, (tuple, list)) or len(shape) < 2:
            self.fail(f"shape must be a tuple of two sizes or more, got {shape}")
        self.shape = tuple(shape)
        try:
            isAuto = isinstance(axes, str) and axes == "auto"
            self.axes = Axes.resolved("spatial" if isAuto else axes, len(self.shape))
        except ValueError as error:
            self.fail(str(error))
        for axis, size in enumerate(self.shape):
            if not (isCount(size) or size is None and axis in self.axes):
                self.fail(f"the size of axis {axis} must be a positive integer, since it is not "
                          f"normalized, got {size}" if axis not in self.axes else
                          f"the size of axis {axis} must be a positive integer or None, got {size}")

    def checkArguments(self):
        for name in ("epsilon", "initFactor", "minFactor", "sscale"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or math.isinf(value):
                self.fail(f"{name} must be a finite number, got {value!r}")
        if not self.epsilon >= Ops.leastEpsilon:
            self.fail(f"epsilon must be at least {Ops.leastEpsilon}, got {self.epsilon}")
        if not (self.initFactor >= 0 and 0 <= self.minFactor <= 1):
            self.fail(f"need initFactor >= 0 and minFactor from 0 to 1, got {self.initFactor} and "
                      f"{self.minFactor}")
        if not self.sscale >= 0:
            self.fail(f"sscale must be at least 0, got {self.sscale}")
        if self.runningStat not in ("var", "invstd"):
            self.fail(f"runningStat must be 'var' or 'invstd', got {self.runningStat!r}")
        isGiven = self.inits["scale"] is not None or self.inits["bias"] is not None
        if isGiven and not self.affine:
            self.fail("with affine=False scale and bias are 1 and 0: there is nothing to start "
                      "with scaleInit or biasInit")

    def makeParams(self):
        isScaleRandom = self.learnScale and not self.fixScale
        self.makeParam("scale", self.learnScale, lambda shape: (
            np.random.normal(1.0, self.sscale, shape) if isScaleRandom else np.ones(shape)))
        self.makeParam("bias", self.learnBias, np.zeros)
        if self.trackRunningStats:
            self.setAttr("mean", self.asParam(self.initial("mean", np.zeros)))
            self.setAttr("var", self.asParam(self.initial("var", np.ones)))

    def makeParam(self, name, isLearned, default):
        values = self.initial(name, default)
        if isLearned:
            self.newVar(name, values)
        else:
            setattr(self, name, self.asParam(values))

    def initial(self, name, default):
        """The first values of an array, in its shape."""
        given = self.inits[name]
        try:
            values = initialValues(default if given is None else given, self.paramShape())
        except ValueError as error:
            self.fail(f"{name}Init {error}")
        with np.errstate(over="ignore"):
            reason = self.attrProblem(name, values.astype(self.paramType()))
        if reason:
            self.fail(f"{name}Init {reason}")
        return values

    def asParam(self, values):
        return gpuarray.to_gpu(values.astype(self.paramType()))

    def paramType(self):
        return sumType(self.calctype)

    def paramShape(self):
        return tuple(1 if at in self.axes else size for at, size in enumerate(self.shape))

    def resetStats(self):
        """Puts the running statistics back to their start, and counts batches anew."""
        if self.trackRunningStats:
            self.mean.set(self.initial("mean", np.zeros).astype(self.mean.dtype))
            self.var.set(self.initial("var", np.ones).astype(self.var.dtype))
            self.numOfProps[...] = 0

    # Forward and backward

    def averages(self):
        """(whether the running statistics serve, whether they move) in a call made now."""
        if not self.trackRunningStats:
            return False, False
        serve, move = self.useAverages, self.updateAverages
        return (self.useGlobalStats or not self.train if serve is None else serve,
                self.train and not self.useGlobalStats if move is None else move)

    def normalized(self, data, out=None, ramp=Ops.noRamp, added=None):
        layout = Axes.layout(data.shape, self.axes)
        serve, move = self.averages()
        self.arranged, self.layout = layout.arranged(data), layout
        self.given = self.savemean = self.saveinvvar = None
        fused = layout.runs, ramp, None if added is None else layout.arranged(added)
        if not serve:
            result, self.savemean, self.saveinvvar = self.withBatch(move, *fused)
            return layout.restored(result)

        self.given = self.mean, self.var
        if move:  # what serves now must stay for backward
            self.given = self.mean.copy(), self.var.copy()
            self.withBatch(move, layout.runs)
        isDirect = layout.order is None
        result = layout.restored(InferOps.infer(
            self.arranged, self.usedScale(), self.bias, *self.given, self.epsilon,
            out if isDirect else None, self.form, *fused))
        if out is not None and not isDirect:
            out[...] = result
        return result if out is None else out

    def withBatch(self, move, *fused):
        """(output, mean, 1 / sqrt(var + epsilon)) of the batch, which the running ones follow."""
        averages = self.runningStat == "invstd"
        if not move:
            return Ops.train(self.arranged, self.usedScale(), self.bias, self.epsilon,
                             None, None, 0.0, self.unbiased, averages, *fused)
        factor = max(self.initFactor / (int(self.numOfProps) + 1), self.minFactor)
        found = Ops.train(self.arranged, self.usedScale(), self.bias, self.epsilon, self.mean,
                          self.var, min(factor, 1.0), self.unbiased, averages, *fused)
        self.numOfProps += 1
        return found

    def isWithBatch(self):
        return self.savemean is not None

    def normalizedAlone(self):
        stats, form = self.given, self.form
        if self.isWithBatch():
            stats, form = (self.savemean, self.saveinvvar), InferOps.inverse
        return self.layout.restored(InferOps.infer(
            self.arranged, self.usedScale(), self.bias, *stats, self.epsilon, None, form,
            self.layout.runs))

    def gradients(self, grad, ramp=Ops.noRamp, out=None):
        arranged, runs = self.layout.arranged, self.layout.runs
        if not self.isWithBatch():
            ingrad, *others = InferOps.inferBackward(
                self.arranged, arranged(grad), self.usedScale(), *self.given, self.epsilon,
                self.form, runs)[:3]
            return self.layout.restored(ingrad), *others
        ingrad, *others, addedgrad = Ops.backward(
            self.arranged, arranged(grad), self.usedScale(), self.bias, self.savemean,
            self.saveinvvar, runs, ramp, None if out is None else arranged(out))
        addedgrad = None if addedgrad is None else self.layout.restored(addedgrad)
        return self.layout.restored(ingrad), *others, addedgrad

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        if not (self.learnScale or self.learnBias):
            return
        if self.scalegrad is None:  # backward(updGrad=False): one kernel yields all three
            _, self.scalegrad, self.biasgrad = self.gradients(grad)[:3]
        if self.fixScale:
            self.scalegrad.fill(0)
        for name, step in (("scale", self.scalegrad), ("bias", self.biasgrad)):
            var = self.vars.get(name)
            if var is not None and var.grad is not None:
                Vector.addScaled(step, var.grad, out=var.grad, alpha=scale, beta=momentum)

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        if self.inplace and self.inData is not None:
            self.fail("has overwritten its input, which backward needs: make it with inplace=False")
        self.scalegrad = self.biasgrad = None
        super().backward(grad, updParamGrads, updGrad, scale, momentum)

    @property
    def form(self):
        return InferOps.inverse if self.runningStat == "invstd" else InferOps.variance

    def usedScale(self):
        return self.unit if self.fixScale else self.scale

    def affineMap(self):
        """
        (slope, offset) for which slope * x + offset is the output with running statistics: host
        arrays of float64, a number each for every channel.
        """
        scale, bias, mean, var = (
            array.get().astype(np.float64).ravel()
            for array in (self.usedScale(), self.bias, self.mean, self.var))
        isInverse = self.form == InferOps.inverse
        slope = scale * (var if isInverse else 1 / np.sqrt(var + self.epsilon))
        return slope, bias - mean * slope

    # Checks

    def checkDataShape(self, shape):
        if len(shape) != len(self.shape) or any(
                size not in (None, given) for size, given in zip(self.shape, shape, strict=True)):
            self.fail(f"data must have shape {self.shape}, where None is any size, got {shape}")
        self.checkReady()
        self.checkCount(shape)

    def checkReady(self):
        arrays = [self.scale, self.bias, *[self.mean, self.var] * self.trackRunningStats]
        if any(array is None for array in arrays):
            self.fail("was made with empty=True: set scale, bias (setVar) and mean, var (setAttr)")
        if not self.trackRunningStats and (self.useAverages or self.updateAverages):
            self.fail("has no running statistics to use or update: trackRunningStats is False")
        if self.inplace and self.train:
            self.fail("using inplace flag in train mode is prohibited")
        if self.inplace and not self.averages()[0]:
            self.fail("can be in place with running statistics only")

    def checkCount(self, shape):
        size = math.prod(shape)
        if size >= 2 ** 31:
            self.fail(f"data must have fewer than 2**31 numbers, got shape {shape}")
        serve, move = self.averages()
        estimates = move or not serve
        count = size // math.prod(self.paramShape())
        if count < (2 if estimates and self.unbiased else 1):
            self.fail(f"data must have {'two or more values' if count else 'a value'} a map"
                      f"{' to train on' if estimates else ''}, got shape {shape}")

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

    # State

    def getBlueprint(self):
        """Where a function has made first values, they stand for it."""
        blueprint = super().getBlueprint()
        told = {f"{name}Init": getattr(self, name).get().squeeze().tolist()
                for name, given in self.inits.items()
                if callable(given) and getattr(self, name) is not None}
        return {**blueprint, "scheme": {**blueprint["scheme"], **told}}

    def calcMode(self, T):
        super().calcMode(T)
        for name in ("scale", "bias", "unit"):
            array = getattr(self, name)
            if name not in self.vars and array is not None:
                setattr(self, name, converted(array, self.paramType()))

    def reset(self):
        super().reset()
        self.letGo()

    def letGo(self):
        self.layout = self.arranged = self.given = self.savemean = self.saveinvvar = None
        self.scalegrad = self.biasgrad = None
