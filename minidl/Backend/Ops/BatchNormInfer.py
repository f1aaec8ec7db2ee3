"""
Batch normalization with given statistics: launches for Kernels/BatchNormInfer.cu.

`form` says what the statistic `spread` is: the variance, to which epsilon is added, or the standard
deviation or its inverse, for which epsilon has no part. The rest is as in BatchNorm.py.
"""

from minidl.Backend.Device import columns
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops.BatchNorm import channelsOnAxis1, emptyLike, noRamp

kernels = KernelFile("BatchNormInfer")
variance, deviation, inverse = range(3)


def infer(data, scale, bias, mean, spread, epsilon, out=None, form=variance, runs=None,
          ramp=noRamp, added=None):
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    out = emptyLike(data) if out is None else out
    arrays = data, data if added is None else added, scale, bias, mean, spread, out
    scalars = form, added is not None, epsilon, *ramp

    if inner == 1:
        kernels.inferFeatures(columns(channels), *arrays, outer, channels, *scalars)
    else:
        kernels.inferMaps(channels, *arrays, outer, channels, inner, *scalars)
    return out


def inferBackward(data, grad, scale, mean, spread, epsilon, form=variance, runs=None):
    """Returns (ingrad, scalegrad, biasgrad, meangrad, spreadgrad) of `infer`."""
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    grads = emptyLike(data), *(emptyLike(scale) for _ in range(4))
    arrays = data, grad, scale, mean, spread, *grads

    if inner == 1:
        kernels.inferBackwardFeatures(columns(channels), *arrays, outer, channels, form, epsilon)
    else:
        kernels.inferBackwardMaps(channels, *arrays, outer, channels, inner, form, epsilon)
    return grads
