"""
Takes batch normalization over from other systems: options and state in, a module out, which goes on
where they stopped. It gives the same outputs, gradients and next running statistics.

Arrays are numpy's, or what numpy.asarray takes: lists, tensors of PyTorch on the CPU. They must be
finite, and become float32. No file is read here.

The arrays do not tell how many axes data have: `nd` says it, the number of axes beside those of the
batch and the channels, as BatchNormND's: 0 for vectors, 2 for images. Where the channels are axis 1
the module is a BatchNorm, BatchNorm1D, 2D, 3D or ND, else a BatchNormAxes. What does not fit raises
ModuleError.
"""

import re
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real

import numpy as np

from minidl import Modules
from minidl.Backend.Precision import isFloating

overMaps = {
    0: Modules.BatchNorm, 1: Modules.BatchNorm1D, 2: Modules.BatchNorm2D, 3: Modules.BatchNorm3D}


def fromTorch(state, nd, prefix="", eps=1e-5, momentum=0.1, affine=None, trackRunningStats=None,
              name=None):
    """
    A BatchNorm1d, 2d or 3d of PyTorch or Storch.

        weight, bias                scale, bias; what is absent stays 1, or 0
        running_mean, running_var   mean, var; without them trackRunningStats=False
        num_batches_tracked         numOfProps; 0 if absent
        eps                         epsilon
        momentum                    initFactor=0, minFactor=momentum
        momentum = None             initFactor=1, minFactor=0: plain averages

    Args:
        state: what state_dict() gives.
        prefix: what stands before the names, such as "layer1.bn1.".
        affine, trackRunningStats: what the state must agree with; None takes it as it is.
        name: of the module.
    """
    call = Call("fromTorch", scale=f"{prefix}weight", bias=f"{prefix}bias",
                mean=f"{prefix}running_mean", var=f"{prefix}running_var")
    call.checkMapping("state", state)
    given = {ours: state.get(theirs) for ours, theirs in call.names.items()}
    isTracked = given["mean"] is not None or given["var"] is not None
    call.checkOption("affine", affine, given["scale"] is not None)
    call.checkOption("trackRunningStats", trackRunningStats, isTracked)

    absent = ("scale", "bias") if isTracked else call.names
    initFactor, minFactor = (1, 0) if momentum is None else (0, call.weight("momentum", momentum))
    module = call.overChannels(
        nd, 1, call.arrays(given, absent), epsilon=eps, initFactor=initFactor, minFactor=minFactor,
        trackRunningStats=isTracked, name=name)
    if isTracked:
        count = f"{prefix}num_batches_tracked"
        module.numOfProps[...] = call.count(count, state.get(count, 0))
    return module


def fromLasagne(beta, gamma, mean, invStd, shape, axes="auto", epsilon=1e-4, alpha=0.1, name=None):
    """
    A BatchNormLayer of Lasagne, as a BatchNormAxes.

        beta, gamma     bias, scale; None is 0, or 1, and is not learned
        mean, inv_std   mean, var with runningStat="invstd"
        axes, epsilon   the same
        alpha           initFactor=0, minFactor=alpha
        mode            nothing: Lasagne does not read it either

    Args:
        beta, gamma, mean, invStd: in the order of get_all_param_values, which leaves None out.
        shape: of the layer's input; None for the size of an axis that is normalized.
        name: of the module.
    """
    call = Call("fromLasagne", scale="gamma", bias="beta", mean="mean", var="invStd")
    given = {"scale": gamma, "bias": beta, "mean": mean, "var": invStd}
    return call.filled(
        partial(Modules.BatchNormAxes, shape, axes), call.arrays(given, absent=("scale", "bias")),
        epsilon=epsilon, initFactor=0, minFactor=call.weight("alpha", alpha), unbiased=False,
        runningStat="invstd", name=name)


def fromMxnet(args, auxs, name, nd, **options):
    """
    A BatchNorm of MXNet.

        name_gamma, name_beta               scale, bias
        name_moving_mean, name_moving_var   mean, var
        axis = 1                            the axis that is not normalized
        eps = 1e-3                          epsilon
        momentum = 0.9                      initFactor=0, minFactor=1 - momentum, unbiased=False
        fixGamma = True                     fixScale
        useGlobalStats = False              useGlobalStats
        outputMeanVar, cudnnOff = False     nothing: savemean and saveinvvar are always there

    MXNet moves its statistics in backward, the module in forward.

    Args:
        args, auxs: the arguments and the auxiliary states of a net, arrays by name.
        name: of the BatchNorm in it, and of the module.
        options: as above; the spellings fix_gamma and fix.gamma count as fixGamma, and so on.
    """
    call = Call("fromMxnet", scale=f"{name}_gamma", bias=f"{name}_beta",
                mean=f"{name}_moving_mean", var=f"{name}_moving_var")
    call.checkMapping("args", args)
    call.checkMapping("auxs", auxs)
    given = {ours: args.get(call.names[ours]) for ours in ("scale", "bias")}
    for ours in ("mean", "var"):
        given[ours] = auxs.get(call.names[ours], auxs.get(f"{name}_moving.{ours}"))

    chosen = call.options(options, axis=1, eps=1e-3, momentum=0.9, fixGamma=True,
                          useGlobalStats=False, outputMeanVar=False, cudnnOff=False)
    return call.overChannels(
        nd, chosen["axis"], call.arrays(given), epsilon=chosen["eps"], initFactor=0,
        minFactor=1 - call.weight("momentum", chosen["momentum"]), unbiased=False,
        fixScale=call.flag("fixGamma", chosen["fixGamma"]),
        useGlobalStats=call.flag("useGlobalStats", chosen["useGlobalStats"]), name=name)


def fromKeras(weights, nd, axis=-1, epsilon=1e-3, momentum=0.99, center=True, scale=True,
              name=None):
    """
    A BatchNormalization of Keras 3.

        gamma, beta                    scale, bias; without `scale` 1, without `center` 0
        moving_mean, moving_variance   mean, var
        axis                           the axis that is not normalized
        epsilon                        the same
        momentum                       initFactor=0, minFactor=1 - momentum, unbiased=False

    Args:
        weights: what get_weights() gives: the arrays above, in this order.
        name: of the module.
    """
    call = Call("fromKeras", scale="gamma", bias="beta", mean="moving_mean", var="moving_variance")
    present = {"scale": call.flag("scale", scale), "bias": call.flag("center", center)}
    names = [ours for ours in call.names if present.get(ours, True)]
    if len(weights) != len(names):
        call.fail(f"weights must be {', '.join(call.names[ours] for ours in names)} for "
                  f"center={center} and scale={scale}, got {len(weights)} arrays")
    arrays = call.arrays(dict(zip(names, weights, strict=True)))
    return call.overChannels(
        nd, axis, arrays, epsilon=epsilon, initFactor=0,
        minFactor=1 - call.weight("momentum", momentum), unbiased=False, name=name)


class Call:
    """What the functions have in common: checks, and the module that is made in the end."""

    def __init__(self, speaker, **names):
        """`names` are the other system's, by the module's: for scale, bias, mean and var."""
        self.speaker, self.names = speaker, names

    def fail(self, message):
        raise Modules.ModuleError(f"{self.speaker}: {message}")

    def weight(self, name, value):
        if not (isinstance(value, Real) and 0 <= value <= 1):
            self.fail(f"{name} must be a number from 0 to 1, got {value!r}")
        return float(value)

    def flag(self, name, value):
        if value not in (False, True):
            self.fail(f"{name} must be True or False, got {value!r}")
        return bool(value)

    def options(self, given, **known):
        """`known`, with the values that are given in any of the spellings."""
        chosen = {}
        for spelled, value in given.items():
            name = re.sub(r"[._]([a-z])", lambda match: match[1].upper(), spelled)
            if name not in known or name in chosen:
                self.fail(f"{spelled} is given twice" if name in chosen else
                          f"there is no option {spelled}, only {', '.join(known)}")
            chosen[name] = value
        return known | chosen

    def checkOption(self, name, value, found):
        if value is not None and self.flag(name, value) != found:
            self.fail(f"{name} must be {found} for this state, got {value}")

    def checkMapping(self, name, value):
        if not isinstance(value, Mapping):
            self.fail(f"{name} must map names to arrays, got {type(value).__name__}")

    def count(self, name, value):
        count = np.asarray(value)
        if count.dtype.kind != "i" or count.shape or count < 0:
            self.fail(f"{name} must be one whole number from 0 on, got {value!r}")
        return count

    def arrays(self, given, absent=()):
        """The given arrays on the host, without what is None; that must be in `absent`."""
        found = {ours: array for ours, array in given.items() if array is not None}
        if missing := [self.names[ours] for ours in given if ours not in (*found, *absent)]:
            self.fail(f"there is no {' and no '.join(missing)}")
        return {ours: self.array(self.names[ours], array, ours == "var")
                for ours, array in found.items()}

    def array(self, name, array, isSpread):
        try:
            array = np.asarray(array)
        except (TypeError, ValueError, RuntimeError) as error:
            self.fail(f"{name} must be an array on the host: {error}")
        if array.dtype.kind not in "iu" and not isFloating(array.dtype):
            self.fail(f"{name} must be an array of real numbers, got dtype {array.dtype}")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            self.fail(f"{name} must be finite in float32")
        if isSpread and (array < 0).any():
            self.fail(f"{name} must not be negative, got {array.min()}")
        return array

    def overChannels(self, nd, axis, arrays, **options):
        """The module for data of nd + 2 axes, whose channels are `axis`."""
        if not (isinstance(nd, Integral) and nd >= 0):
            self.fail(f"nd must be a whole number from 0 on, got {nd!r}")
        ndim = nd + 2
        if not (isinstance(axis, Integral) and -ndim <= axis < ndim):
            self.fail(f"axis must be an integer from {-ndim} to {ndim - 1} for data of {ndim} "
                      f"axes, got {axis!r}")
        if not arrays:
            self.fail(f"there is none of {', '.join(self.names.values())}")
        maps = next(iter(arrays.values())).size
        if axis % ndim == 1:
            make = partial(overMaps.get(nd, partial(Modules.BatchNormND, nd)), maps)
        else:
            others = [at for at in range(ndim) if at != axis % ndim]
            shape = [None if at in others else maps for at in range(ndim)]
            make = partial(Modules.BatchNormAxes, shape, others)
        return self.filled(make, arrays, **options)

    def filled(self, make, arrays, **options):
        learnScale, learnBias = "scale" in arrays, "bias" in arrays
        module = make(affine=learnScale or learnBias, learnScale=learnScale, learnBias=learnBias,
                      **options)
        channels = tuple(size for at, size in enumerate(module.shape) if at not in module.axes)
        for ours, array in arrays.items():
            if array.shape != channels:
                self.fail(f"{self.names[ours]} must have shape {channels}, got {array.shape}")
            target = getattr(module, ours)
            target.set(array.reshape(target.shape))
        return module
