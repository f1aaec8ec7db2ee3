"""Takes batch normalization out of a net that is trained."""

from minidl.Containers import Sequential
from minidl.Modules.BatchNormAxes import BatchNormAxes


def foldBatchNorm(net):
    """
    Folds each normalization into the affine module before it, which then gives the same output, as
    of evaluation mode, in one step less:

        norm(x W + b) = x (W s) + (b - mean) s + bias,    s = scale / sqrt(var + epsilon)

    It changes `net` and what is inside it, and puts it into evaluation mode. A normalization stays
    where it has no running statistics, where there is no Linear (or another module with foldIn)
    right before it in the same Sequential, or where that one's weights are another module's too.

    Returns: net.
    """
    net.evalMode()
    shared = {var for var, names in net.getVarTable().items() if len(names) > 1}
    for _, module in net.namedModules(""):
        if isinstance(module, Sequential):
            foldInside(module, shared)
    return net


def foldInside(net, shared):
    for affine, norm in zip(net.graph[:-1], net.graph[1:], strict=True):
        if not (hasattr(affine, "foldIn") and isinstance(norm, BatchNormAxes)):
            continue
        isOfMaps = norm.axes == (0, *range(2, len(norm.shape)))
        if isOfMaps and norm.averages()[0] and not shared & set(affine.vars.values()):
            net.removeModule(norm)
            affine.foldIn(*norm.affineMap())
