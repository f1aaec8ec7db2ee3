"""Batch normalization on the device: shapes, outputs and launches for Kernels/BatchNorm.cu."""

from math import prod

from minidl.Backend.Device import columns
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("BatchNorm")


def train(data, scale, bias, mean, var, epsilon, factor):
    """Returns (out, batchMean, batchInvStd); moves the running `mean` and `var` in place."""
    batch, maps, inner = view(data.shape)
    out, batchMean, batchInvStd = emptyLike(data), emptyLike(mean), emptyLike(mean)
    arrays = data, scale, bias, out, batchMean, batchInvStd, mean, var

    if inner == 1:
        kernels.trainFeatures(columns(maps), *arrays, batch, maps, epsilon, factor)
    else:
        kernels.trainMaps(maps, *arrays, batch, maps, inner, epsilon, factor)
    return out, batchMean, batchInvStd


def infer(data, scale, bias, mean, var, epsilon, out=None):
    batch, maps, inner = view(data.shape)
    out = emptyLike(data) if out is None else out
    arrays = data, scale, bias, mean, var, out

    if inner == 1:
        kernels.inferFeatures(columns(maps), *arrays, batch, maps, epsilon)
    else:
        kernels.inferMaps(maps, *arrays, batch, maps, inner, epsilon)
    return out


def backward(data, grad, scale, batchMean, batchInvStd):
    """Returns (ingrad, scalegrad, biasgrad) of the `train` call that gave these statistics."""
    batch, maps, inner = view(data.shape)
    grads = emptyLike(data), emptyLike(scale), emptyLike(scale)
    arrays = data, grad, scale, batchMean, batchInvStd, *grads

    if inner == 1:
        kernels.backwardFeatures(columns(maps), *arrays, batch, maps)
    else:
        kernels.backwardMaps(maps, *arrays, batch, maps, inner)
    return grads


def inferBackward(data, grad, scale, mean, var, epsilon):
    """Returns (ingrad, scalegrad, biasgrad) of `infer`, whose statistics are constants."""
    batch, maps, inner = view(data.shape)
    grads = emptyLike(data), emptyLike(scale), emptyLike(scale)
    kernels.inferBackwardMaps(
        maps, data, grad, scale, mean, var, *grads, batch, maps, inner, epsilon)
    return grads


def emptyLike(array):
    return empty(array.shape, array.dtype)


def view(shape):
    """A tensor of any rank as (batch, maps, inner)."""
    return shape[0], shape[1], prod(shape[2:])

