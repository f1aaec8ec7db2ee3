import numpy as np

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Backend.Ops import CrossEntropy as Ops
from minidl.Backend.Precision import sumType
from minidl.Cost.Cost import Cost


class CrossEntropy(Cost):
    """
    Cross entropy of the softmax of scores, for labels that are classes.

        E = mean over batch and positions of -w[label] log p[label],    p = softmax(pred)
        grad_c = w[c] (1[c = label] - p_c) / N

    The softmax is over axis 1. The gradient is divided by the batch size N only, not by the number
    of positions. `validate` gives the share of positions whose highest score is not the label's;
    `mostProb` has the classes of the highest scores then.

    Args:
        maxlabels: number of classes that labels may name, if fewer than pred has.
        weights: host array of a weight w for each class; all 1 if None.

    Data: pred (N, classes, ...), labels int32 (N, ...), each from 0 to classes - 1: others are
    refused, unless Config.verifyData is off.
    """

    def __init__(self, maxlabels=None, weights=None):
        super().__init__()
        self.maxlabels = maxlabels
        self.weights = None if weights is None else gpuarray.to_gpu(np.asarray(weights, np.float32))
        self.mostProb = None

    def calcGrad(self, pred, target):
        return Ops.crossEntropy(pred, target, self.weights)

    def calcVal(self, pred, target):
        self.mostProb, wrong = Ops.mostProbable(pred, target)
        return float(wrong.get().mean())

    def checkDataShape(self, pred, target):
        if pred.ndim < 2 or pred.shape[1] < 1:
            self.fail(f"pred must have shape (batch, classes, ...), got {pred.shape}")
        if target.dtype != np.int32:
            self.fail(f"labels must be int32, got {target.dtype}")
        if target.shape != pred.shape[:1] + pred.shape[2:]:
            self.fail(f"labels must have shape {pred.shape[:1] + pred.shape[2:]} for pred of shape "
                      f"{pred.shape}, got {target.shape}")

        classes = pred.shape[1]
        wanted = (classes,), sumType(pred.dtype)
        if self.weights is not None and (self.weights.shape, self.weights.dtype) != wanted:
            self.fail(f"there must be {classes} weights of {wanted[1]}, got {self.weights.dtype} "
                      f"of shape {self.weights.shape}")
        limit = min(classes, self.maxlabels or classes)
        if Config.verifyData and (strays := Ops.countStrays(target, limit)):
            labels = target.get()
            found = labels[(labels < 0) | (labels >= limit)].flat[0]
            self.fail(f"labels must be from 0 to {limit - 1}, got {found} ({strays} of "
                      f"{labels.size} labels are out of range)")
