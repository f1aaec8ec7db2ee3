"""Cross entropy on the device: shapes, outputs and launches for Kernels/CrossEntropy.cu."""

from math import prod

import numpy as np

from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("CrossEntropy")


def crossEntropy(scores, labels, weights=None):
    """Returns (errors, grad): the error of each sample, and the ascent direction of their mean."""
    batch, classes, inner = scores.shape[0], scores.shape[1], prod(scores.shape[2:])
    grad, errors = empty(scores.shape, scores.dtype), empty(batch, sumType(scores.dtype))
    arrays = scores, labels, errors if weights is None else weights, grad, errors
    if inner == 1:
        kernels.crossEntropyRows(batch, *arrays, batch, classes, weights is not None)
    else:
        kernels.crossEntropy(batch, *arrays, batch, classes, inner, weights is not None)
    return errors, grad


def mostProbable(scores, labels):
    """Returns (best, wrong): the class of the highest score, and 1 where it is not the label."""
    best, wrong = empty(labels.shape, np.int32), empty(labels.shape, np.int32)
    classes, inner = scores.shape[1], prod(scores.shape[2:])
    kernels.mostProbable(scores.shape[0], scores, labels, best, wrong, classes, inner)
    return best, wrong


def countStrays(labels, classes):
    """How many labels are not in 0 .. classes - 1."""
    count = empty(1, np.int32)
    kernels.countStrays(1, labels, count, labels.size, classes)
    return int(count.get()[0])
