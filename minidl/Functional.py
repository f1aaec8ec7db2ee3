"""
Batch normalization as functions on device arrays: no state, and nothing that is given changes.

`axes` are the axes that are normalized together: "spatial", all but axis 1; "per-activation" or
"peractivation", axis 0; or integers, one or several, in any order, negative ones from the end.
Whatever is left makes the channels.

Data are float32 or float64, or float16 and bfloat16 where the device has them, of two axes or more.
The small arrays, one number for each channel, are of the same type, float32 for data of 16 bits.
Their shape is that of the remaining axes, or data's own with 1 for each normalized axis; all of a
call have the same one, and so have the results. Arrays that are not contiguous are copied.

What does not fit raises FunctionalError. Sources: Ioffe, Szegedy 2015; Aesara's nnet.batchnorm.
"""

import math
import numbers

from minidl.Backend import Axes, Device
from minidl.Backend.gpuarray import adopted, contiguous, zeros
from minidl.Backend.Ops import BatchNorm as Ops
from minidl.Backend.Ops import BatchNormInfer as InferOps
from minidl.Backend.Precision import sumType

defaultFactor = 0.1  # Aesara's


class FunctionalError(ValueError, TypeError):
    """Arguments that a function of minidl.Functional cannot take."""


def batchNormTrain(data, scale, bias, axes="spatial", epsilon=1e-5, factor=None, runningMean=None,
                   runningVar=None, unbiased=True):
    """
    Normalizes with the statistics of the batch:

        out = scale * (data - mean) / sqrt(var + epsilon) + bias

    where var is the average of (data - mean)^2. Given running statistics, new ones as well:

        newMean = (1 - factor) * runningMean + factor * mean
        newVar = (1 - factor) * runningVar + factor * var * m / (m - 1)

    for m numbers in a channel; without the m / (m - 1) if not `unbiased`.

    Args:
        epsilon: at least 1e-5.
        factor: from 0 to 1; without it 0.1. It says nothing where there are no running statistics.
        runningMean, runningVar: both or neither, in scale's shape.
        unbiased: whether newVar is to estimate the variance of all data, without bias. One number
            in a channel gives no such estimate, and is refused.

    Returns: (out, savemean, saveinvvar), and newMean, newVar if running statistics are given;
    savemean is mean, saveinvvar 1 / sqrt(var + epsilon), for batchNormBackward.
    """
    call = Call("batchNormTrain", axes, data=data)
    epsilon, factor = call.epsilon(epsilon), call.factor(factor)
    if (runningMean is None) != (runningVar is None):
        call.fail("runningMean and runningVar must both be given, or neither, got no "
                  + ("runningMean" if runningMean is None else "runningVar"))
    running = {} if runningMean is None else {"runningMean": runningMean, "runningVar": runningVar}
    scale, bias, *running = call.channels(scale=scale, bias=bias, **running)
    if unbiased and call.layout.count < 2:
        call.fail("needs two or more values a channel, unless unbiased=False, got 1 for data of "
                  f"shape {call.shape} and axes {call.axes}")

    moved = [array.copy() for array in running]
    out, *saved = Ops.train(call.data(), scale, bias, epsilon, *moved or (None, None), factor,
                            bool(unbiased), runs=call.layout.runs)
    return call.layout.restored(out), *saved, *moved


def batchNormInfer(data, scale, bias, mean, var, axes="spatial", epsilon=1e-5, out=None):
    """
    Normalizes with given statistics:

        out = scale * (data - mean) / sqrt(var + epsilon) + bias

    Args:
        mean, var: in scale's shape.
        epsilon: at least 1e-5.
        out: an array like data to write to, which may be data itself.

    Returns: out.
    """
    call = Call("batchNormInfer", axes, data=data)
    epsilon = call.epsilon(epsilon)
    small = call.channels(scale=scale, bias=bias, mean=mean, var=var)
    return call.infer(*small, epsilon, out=out)


def batchNormBackward(data, grad, scale, savemean, saveinvvar, axes, epsilon):
    """
    The gradients of batchNormTrain, for grad = dL/d(out). With xHat = (data - mean) * invStd and
    <.> the average over a channel:

        ingrad = scale * invStd * (grad - <grad> - xHat * <grad * xHat>)
        scalegrad = sum(grad * xHat)
        biasgrad = sum(grad)

    The other results of batchNormTrain have no part in it: their gradients are taken for zero.

    Args:
        grad: of data's shape and dtype.
        savemean, saveinvvar: what batchNormTrain returned, with the same axes and epsilon.
        epsilon: is in saveinvvar already, and is only looked at.

    Returns: (ingrad, scalegrad, biasgrad).
    """
    call = Call("batchNormBackward", axes, data=data)
    call.epsilon(epsilon)
    small = call.channels(scale=scale, savemean=savemean, saveinvvar=saveinvvar)
    grad = call.layout.arranged(call.alike("grad", grad))
    scale, mean, invStd = small
    # Without a ramp the bias has no part.
    ingrad, *others, _ = Ops.backward(
        call.data(), grad, scale, scale, mean, invStd, call.layout.runs)
    return call.layout.restored(ingrad), *others


def batchNormInferBackward(data, grad, scale, mean, var, axes, epsilon):
    """
    The gradients of batchNormInfer, for grad = dL/d(out). With invStd = 1 / sqrt(var + epsilon):

        ingrad = scale * invStd * grad
        scalegrad = sum(grad * (data - mean)) * invStd
        biasgrad = sum(grad)
        meangrad = -scale * invStd * biasgrad
        vargrad = -scale * invStd^2 / 2 * scalegrad

    Returns: (ingrad, scalegrad, biasgrad, meangrad, vargrad).
    """
    call = Call("batchNormInferBackward", axes, data=data)
    epsilon = call.epsilon(epsilon)
    small = call.channels(scale=scale, mean=mean, var=var)
    return call.inferBackward(grad, *small, epsilon)


def batchNormalization(inputs, gamma, beta, mean, std, mode="low_mem"):
    """
    Normalizes with a given mean and standard deviation, to which nothing is added:

        out = gamma * (inputs - mean) / std + beta

    Args:
        gamma, beta, mean, std: of one shape, which has inputs' axes, each of inputs' size or 1.
        mode: "low_mem", or "high_mem", which holds (inputs - mean) / std in an array of its own on
            the way, as Aesara does: the same values, and inputs' size more of memory.

    Returns: out.
    """
    call = Call("batchNormalization", like=gamma, inputs=inputs)
    call.mode(mode)
    gamma, beta, mean, std = call.channels(gamma=gamma, beta=beta, mean=mean, std=std)
    if mode == "low_mem":
        return call.infer(gamma, beta, mean, std, 0.0, form=InferOps.deviation)
    zero, one = zeros(gamma.shape, gamma.dtype), zeros(gamma.shape, gamma.dtype)
    one.fill(1)
    normal = Call("batchNormalization", like=gamma, inputs=call.infer(
        one, zero, mean, std, 0.0, form=InferOps.deviation))
    return normal.infer(gamma, beta, zero, one, 0.0, form=InferOps.deviation)


def batchNormalizationBackward(inputs, grad, gamma, mean, std, mode="low_mem"):
    """
    The gradients of batchNormalization, for grad = dL/d(out):

        inputsgrad = gamma / std * grad
        gammagrad = sum(grad * (inputs - mean)) / std
        betagrad = sum(grad)
        meangrad = -gamma / std * betagrad
        stdgrad = -gamma / std * gammagrad

    Returns: (inputsgrad, gammagrad, betagrad, meangrad, stdgrad).
    """
    call = Call("batchNormalizationBackward", like=gamma, inputs=inputs)
    call.mode(mode)
    small = call.channels(gamma=gamma, mean=mean, std=std)
    return call.inferBackward(grad, *small, 0.0, form=InferOps.deviation)


class Call:
    """What the functions have in common: data, seen along the axes, and checks of all the rest."""

    def __init__(self, name, axes=None, like=None, **data):
        """`data` is one array by its name; `like` a small one that has its axes instead of axes."""
        self.name = name
        (self.whole, data), = data.items()
        data = self.array(self.whole, data)
        self.shape, self.dtype = data.shape, data.dtype
        self.checkData()
        self.axes = self.resolved(axes) if like is None else self.spread("gamma", like)
        self.layout = Axes.layout(self.shape, self.axes)
        self.given = data

    def data(self):
        """The data as the layout's runs; asked for when all is checked, since it may be a copy."""
        return self.layout.arranged(self.given)

    def fail(self, message):
        raise FunctionalError(f"{self.name}: {message}")

    def array(self, name, array):
        try:
            return adopted(array)
        except (TypeError, ValueError) as error:
            self.fail(f"{name} must be an array on the device: {error}")

    def checkData(self):
        types = Device.current().realNames
        if self.dtype.char not in types:
            self.fail(f"{self.whole} must be floating point numbers "
                      f"({' or '.join(types.values())}), got {self.dtype}")
        size = math.prod(self.shape)
        if len(self.shape) < 2 or not 0 < size < 2 ** 31:
            self.fail(f"{self.whole} must have two axes or more and from 1 to 2**31 - 1 numbers, "
                      f"got shape {self.shape}")

    def resolved(self, axes):
        try:
            return Axes.resolved(axes, len(self.shape))
        except ValueError as error:
            self.fail(str(error))

    def spread(self, name, like):
        """The axes along which `like` holds for all of the data."""
        shape = self.array(name, like).shape
        if len(shape) != len(self.shape) or any(
                size not in (1, whole) for size, whole in zip(shape, self.shape, strict=True)):
            self.fail(f"{name} must have {len(self.shape)} axes, each of size 1 or as in "
                      f"{self.whole} of shape {self.shape}, got shape {shape}")
        return tuple(axis for axis, size in enumerate(shape) if size == 1)

    def epsilon(self, epsilon):
        number = self.number("epsilon", epsilon)
        # Not `number`: numpy compares its float32 with 1e-5 rounded as well.
        if not epsilon >= Ops.leastEpsilon:
            self.fail(f"epsilon must be at least {Ops.leastEpsilon}, got {epsilon}")
        return number

    def factor(self, factor):
        number = self.number("factor", defaultFactor if factor is None else factor)
        if not 0 <= number <= 1:
            self.fail(f"factor must be from 0 to 1, got {factor}")
        return number

    def number(self, name, value):
        try:
            number = float(value) if isinstance(value, numbers.Real) else math.inf
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self.fail(f"{name} must be a finite number, got {value!r}")
        return number

    def mode(self, mode):
        if mode not in ("low_mem", "high_mem"):
            self.fail(f'mode must be "low_mem" or "high_mem", got {mode!r}')

    def channels(self, **arrays):
        """The small arrays, contiguous: all without the normalized axes, or all with 1 for them."""
        shapes = self.layout.squeezed, self.layout.full
        arrays = {name: self.array(name, array) for name, array in arrays.items()}
        first, shape = next((name, array.shape) for name, array in arrays.items())
        if shape not in shapes:
            self.fail(f"{first} must have shape {' or '.join(map(str, shapes))}, for "
                      f"{self.whole} of shape {self.shape} and axes {self.axes}, got {shape}")
        dtype = sumType(self.dtype)
        for name, array in arrays.items():
            if array.shape != shape or array.dtype != dtype:
                self.fail(f"{name} must be {dtype} of {first}'s shape {shape}, for {self.whole} of "
                          f"{self.dtype}, got {array.dtype} of shape {array.shape}")
        return [contiguous(array) for array in arrays.values()]

    def alike(self, name, array):
        """`array` as one of minidl's, which is like the data."""
        array = self.array(name, array)
        if array.shape != self.shape or array.dtype != self.dtype:
            self.fail(f"{name} must be {self.dtype} of shape {self.shape}, as {self.whole}, got "
                      f"{array.dtype} of shape {array.shape}")
        return array

    def infer(self, scale, bias, mean, spread, epsilon, form=InferOps.variance, out=None):
        place = None if out is None else self.alike("out", out)
        isDirect = place is not None and place.layout is not None and self.layout.order is None
        result = self.layout.restored(InferOps.infer(
            self.data(), scale, bias, mean, spread, epsilon, place if isDirect else None, form,
            self.layout.runs))
        if place is None:
            return result
        if not isDirect:
            place[...] = result
        return out

    def inferBackward(self, grad, scale, mean, spread, epsilon, form=InferOps.variance):
        grad = self.layout.arranged(self.alike("grad", grad))
        ingrad, *others = InferOps.inferBackward(
            self.data(), grad, scale, mean, spread, epsilon, form, self.layout.runs)
        return self.layout.restored(ingrad), *others
