"""The contract of every cost."""

import math

import numpy as np

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import isFloating

sumsAtOnce = 256  # batches whose errors wait on the device: to read them is to wait for it


class CostError(ValueError, RuntimeError):
    """A cost was given predictions and targets that do not fit."""


class Cost:
    """
    A number E that says how wrong predictions are, and the direction that makes it smaller.

    `error, grad = cost(pred, target)` gives E of the batch and -dE/d(pred); `cost(pred, target,
    queryError=False)` only the latter, with no wait for the device. `cost.validate(pred, target)`
    is the figure that people read: E itself, or the share of wrong answers.

    A subclass writes `calcGrad(pred, target)`, which returns (errors, grad), the error of each
    sample and the direction, `checkDataShape`, and `calcVal` if validation is not E.
    """

    def __init__(self):
        self.error = self.grad = self.valError = self.errors = self.sums = None
        self.batchsize = None
        self.resetAccumulator()

    def __call__(self, pred, target, queryError=True):
        pred, target = self.accept(pred, target)
        self.errors, self.grad = self.calcGrad(pred, target)
        self.batchsize, self.error = pred.shape[0], None
        self.numOfSamples += self.batchsize
        self.keepSum()
        return (self.getError(), self.grad) if queryError else self.grad

    def accept(self, pred, target):
        """Both as ops need them: on the device, contiguous, of fit shapes and dtypes."""
        try:
            pred, target = gpuarray.contiguous(pred), gpuarray.contiguous(target)
        except TypeError as error:
            self.fail(f"pred and target must be arrays on the device: {error}")
        if not Config.disableDtypeShapeChecks:
            if not isFloating(pred.dtype):
                self.fail(f"pred must be of floating point numbers, got {pred.dtype}")
            if pred.ndim == 0 or pred.shape[0] == 0:
                self.fail(f"pred must have a batch axis that is not empty, got shape {pred.shape}")
            self.checkDataShape(pred, target)
        return pred, target

    def getError(self):
        """E of the last batch."""
        if self.errors is None:
            self.fail("there is no error before the first call")
        if self.error is None:
            self.error = float(meanOf(self.errors))
        return self.error

    def getMeanError(self):
        """E over all samples since resetAccumulator; NaN if there were none."""
        self.collect()
        return self.accumErr / self.numOfSamples if self.numOfSamples else math.nan

    def keepSum(self):
        """Puts the summed error of the batch behind those of earlier ones, to be read together."""
        if self.sums is None or self.sums.dtype != self.errors.dtype:
            self.collect()
            self.sums = gpuarray.empty(sumsAtOnce, self.errors.dtype)
        if self.numOfSums == sumsAtOnce:
            self.collect()
        Vector.sumTo(self.errors, self.sums, self.numOfSums)
        self.numOfSums += 1

    def collect(self):
        if self.numOfSums:
            # One after another: the sum's bits do not depend on when they were collected.
            sums = self.sums.get()[:self.numOfSums]
            self.accumErr = float(np.cumsum([self.accumErr, *sums], dtype=np.float64)[-1])
            self.numOfSums = 0

    def resetAccumulator(self):
        self.accumErr, self.numOfSamples, self.numOfSums = 0.0, 0, 0

    def getState(self):
        """What getMeanError follows from, as numbers for setState."""
        self.collect()
        return np.array([self.accumErr, self.numOfSamples])

    def setState(self, numbers):
        self.accumErr, self.numOfSamples, self.numOfSums = float(numbers[0]), int(numbers[1]), 0

    def validate(self, pred, target):
        pred, target = self.accept(pred, target)
        self.valError = self.calcVal(pred, target)
        return self.valError

    def getValError(self):
        return self.valError

    def reset(self):
        """Lets go of the gradient that the last call left; its error can still be asked for."""
        self.grad = None

    def calcGrad(self, pred, target):
        raise NotImplementedError(f"{type(self).__name__} has no calcGrad")

    def calcVal(self, pred, target):
        errors, _ = self.calcGrad(pred, target)
        return float(meanOf(errors))

    def checkDataShape(self, pred, target):
        """Refuses predictions and targets that do not fit each other."""
        if pred.shape != target.shape:
            self.fail(f"pred and target must have one shape, got {pred.shape} and {target.shape}")
        if pred.dtype != target.dtype:
            self.fail(f"pred and target must have one dtype, got {pred.dtype} and {target.dtype}")

    def fail(self, message):
        raise CostError(f"{type(self).__name__}: {message}")


def meanOf(errors):
    return np.mean(errors.get(), dtype=np.float64)
