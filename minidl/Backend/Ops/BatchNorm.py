"""
Batch normalization in training on the device: shapes, outputs and launches for
Kernels/BatchNorm.cu. BatchNormInfer.py has that with given statistics.

`runs` says how a tensor's memory is seen, as (outer, channels, inner): one number of each small
array belongs to a channel. Without it axis 1 has the channels. `ramp` is a function that follows in
the same kernel, (floor, ceiling, leak) as the kernel file tells; `added` a tensor like data that is
added before it.
"""

from math import inf, prod

from minidl.Backend.Device import columns
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("BatchNorm")
leastEpsilon = 1e-5
noRamp = -inf, inf, 1.0


def train(data, scale, bias, epsilon, mean=None, var=None, factor=0.0, unbiased=True,
          averagesInvStd=False, runs=None, ramp=noRamp, added=None):
    """
    Returns (out, batchMean, batchInvStd); moves the running `mean` and `var` in place, unless
    factor is 0. With averagesInvStd `var` follows batchInvStd.
    """
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    out, batchMean, batchInvStd = emptyLike(data), emptyLike(scale), emptyLike(scale)
    # What is not there, no kernel touches: any array can stand in its place.
    running = (batchMean, batchInvStd) if mean is None else (mean, var)
    z = data if added is None else added
    arrays = data, z, scale, bias, out, batchMean, batchInvStd, *running
    freedom = 0 if averagesInvStd else max(outer * inner - unbiased, 1)
    scalars = freedom, added is not None, epsilon, factor if mean is not None else 0.0, *ramp

    if inner == 1:
        kernels.trainFeatures(columns(channels), *arrays, outer, channels, *scalars)
    else:
        kernels.trainMaps(channels, *arrays, outer, channels, inner, *scalars)
    return out, batchMean, batchInvStd


def backward(data, grad, scale, bias, batchMean, batchInvStd, runs=None, ramp=noRamp, out=None):
    """
    Returns (ingrad, scalegrad, biasgrad, addedgrad) of the `train` call that gave these statistics.
    `out` is what it returned, needed if there was something added; else addedgrad is None.
    """
    outer, channels, inner = runs or channelsOnAxis1(data.shape)
    ingrad, scalegrad, biasgrad = emptyLike(data), emptyLike(scale), emptyLike(scale)
    addedgrad = None if out is None else emptyLike(data)
    y, zGrad = (data, ingrad) if out is None else (out, addedgrad)
    arrays = (data, y, grad, scale, bias, batchMean, batchInvStd,
              ingrad, zGrad, scalegrad, biasgrad)
    scalars = out is not None, *ramp

    if inner == 1:
        kernels.backwardFeatures(columns(channels), *arrays, outer, channels, *scalars)
    else:
        kernels.backwardMaps(channels, *arrays, outer, channels, inner, *scalars)
    return ingrad, scalegrad, biasgrad, addedgrad


def emptyLike(array):
    return empty(array.shape, array.dtype)


def channelsOnAxis1(shape):
    return shape[0], shape[1], prod(shape[2:])
