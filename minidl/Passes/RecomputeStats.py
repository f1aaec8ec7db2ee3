"""Finds the statistics of all data anew, for a net whose weights do not move any more."""

import contextlib

from minidl.Backend import gpuarray
from minidl.Modules.BatchNormAxes import BatchNormAxes
from minidl.Modules.Module import ModuleError

# How a normalization averages each batch with the weight 1 / n, and normalizes by its own.
averaging = dict(
    initFactor=1.0, minFactor=0.0, useAverages=False, updateAverages=True, inplace=False)


def recomputeStats(net, batches):
    """
    Sets the running statistics of every batch normalization in `net` to the plain average over the
    batches, each of which is normalized by its own statistics on the way:

        mean = (mean_1 + ... + mean_n) / n,    var likewise

    All other modules compute as in evaluation mode: nothing is dropped. Afterwards every module is
    in the mode that it was in, and counts n batches. When a batch is refused, all is as before.

    Args:
        net: a module, or a container of modules.
        batches: one pass over the data: host arrays, or arrays on the device, as net takes them.

    Returns: n.
    """
    norms = [mod for _, mod in net.namedModules("")
             if isinstance(mod, BatchNormAxes) and mod.trackRunningStats]
    number = 0
    with asTheyAre(net, norms):
        for norm in norms:
            norm.resetStats()
            vars(norm).update(averaging)
        for batch in batches:
            net(batch if hasattr(batch, "gpudata") else gpuarray.to_gpu(batch))
            number += 1
        if not number:
            raise ModuleError(f"recomputeStats: {net} needs one batch or more, got none")
    return number


@contextlib.contextmanager
def asTheyAre(net, norms):
    """Evaluation mode; behind it modes and options are as before, after an error statistics too."""
    modes = [(mod, mod.train) for _, mod in net.namedModules("")]
    options = [(norm, {name: getattr(norm, name) for name in averaging}) for norm in norms]
    stats = [(value, value.copy()) for norm in norms
             for value in (norm.mean, norm.var, norm.numOfProps)]
    net.evalMode()
    try:
        yield
    except BaseException:
        for value, before in stats:
            value[...] = before
        raise
    finally:
        net.reset()
        for mod, train in modes:
            mod.train = train
        for norm, values in options:
            vars(norm).update(values)
