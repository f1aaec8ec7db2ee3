"""
Batch normalization on the device: shapes, outputs and launches for Kernels/BatchNorm.cu.

`runs` says how a tensor's memory is seen, as (outer, channels, inner): one number of each small
array belongs to a channel. Without it axis 1 has the channels.
"""

from math import prod

from minidl.Backend.Device import columns
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("BatchNorm")
leastEpsilon = 1e-5


def train(data, scale, bias, mean, var, epsilon, factor, unbiased=True, runs=None):
    """Returns (out, batchMean, batchInvStd); moves the running `mean` and `var` in place."""
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    out, batchMean, batchInvStd = emptyLike(data), emptyLike(mean), emptyLike(mean)
    arrays = data, scale, bias, out, batchMean, batchInvStd, mean, var
    freedom = max(outer * inner - unbiased, 1)

    if inner == 1:
        kernels.trainFeatures(
            columns(channels), *arrays, outer, channels, freedom, epsilon, factor)
    else:
        kernels.trainMaps(channels, *arrays, outer, channels, inner, freedom, epsilon, factor)
    return out, batchMean, batchInvStd


def infer(data, scale, bias, mean, spread, epsilon, out=None, isStd=False, runs=None):
    """`spread` is the variance, or the standard deviation if `isStd`; then epsilon has no part."""
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    out = emptyLike(data) if out is None else out
    arrays = data, scale, bias, mean, spread, out

    if inner == 1:
        kernels.inferFeatures(columns(channels), *arrays, outer, channels, isStd, epsilon)
    else:
        kernels.inferMaps(channels, *arrays, outer, channels, inner, isStd, epsilon)
    return out


def backward(data, grad, scale, batchMean, batchInvStd, runs=None):
    """Returns (ingrad, scalegrad, biasgrad) of the `train` call that gave these statistics."""
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    grads = emptyLike(data), emptyLike(scale), emptyLike(scale)
    arrays = data, grad, scale, batchMean, batchInvStd, *grads

    if inner == 1:
        kernels.backwardFeatures(columns(channels), *arrays, outer, channels)
    else:
        kernels.backwardMaps(channels, *arrays, outer, channels, inner)
    return grads


def inferBackward(data, grad, scale, mean, spread, epsilon, isStd=False, runs=None):
    """Returns (ingrad, scalegrad, biasgrad, meangrad, spreadgrad) of `infer`."""
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    grads = emptyLike(data), *(emptyLike(scale) for _ in range(4))
    arrays = data, grad, scale, mean, spread, *grads

    if inner == 1:
        kernels.inferBackwardFeatures(
            columns(channels), *arrays, outer, channels, isStd, epsilon)
    else:
        kernels.inferBackwardMaps(channels, *arrays, outer, channels, inner, isStd, epsilon)
    return grads


def emptyLike(array):
    return empty(array.shape, array.dtype)


def channelsOnAxis1(shape):
    return shape[0], shape[1], prod(shape[2:])
