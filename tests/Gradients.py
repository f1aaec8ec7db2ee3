"""
Compares gradients with finite differences. To check a module of your own:

    checkGradients(MyModule(5, 3), np.random.default_rng(0).standard_normal((4, 5)))
"""

import numpy as np

from minidl.Backend import gpuarray

step = 1e-5
mostEntries = 64  # of one array; of a larger one that many are drawn


def checkGradients(module, data, rng=None, tolerance=1e-6):
    """
    Checks backward for the loss L = sum(weights * module(data)), over data and every variable.
    Data may be a list of arrays, and so may what comes out.

    The weights are random: under a plain sum many right and wrong gradients are equally zero. An
    error may be at most `tolerance` times the largest number of its gradient. The module computes
    in float64 from here on, and random numbers of the device repeat with each call.
    """
    rng = rng or np.random.default_rng(0)
    module.calcMode(np.float64)
    isList = isinstance(data, list)
    arrays = [each.astype(np.float64) for each in (data if isList else [data])]
    variables = {names[0]: var for var, names in module.getVarTable(name="module").items()}

    def forward():
        gpuarray.globalRng.seed(0)
        given = [gpuarray.to_gpu(array) for array in arrays]
        return [each.get() for each in listOf(module(given if isList else given[0]))]

    weights = [rng.standard_normal(each.shape) for each in forward()]
    given = [gpuarray.to_gpu(each) for each in weights]
    module.backward(given if isinstance(module.data, list) else given[0], momentum=0.0)
    loss = lambda: sum((w * y).sum() for w, y in zip(weights, forward(), strict=True))

    compared = [(f"data {at}", array, grad.get()) for at, (array, grad) in enumerate(
        zip(arrays, listOf(module.grad), strict=True))]
    if module.train:
        compared += [(name, var.data, var.grad.get()) for name, var in variables.items()]
    for name, values, grad in compared:
        assert grad.shape == values.shape, name
        entries = rng.permutation(values.size)[:mostEntries]
        expected = finiteDifferences(loss, values, entries)
        assertClose(grad.reshape(-1)[entries], expected, tolerance, name)


def listOf(arrays):
    return arrays if isinstance(arrays, list) else [arrays]


def checkCostGradients(cost, pred, target, factor=1.0, rng=None, tolerance=1e-6):
    """Checks that a cost's direction is -factor dE/d(pred); `target` is a host array."""
    rng = rng or np.random.default_rng(0)
    pred, target = pred.astype(np.float64), gpuarray.to_gpu(target)
    _, grad = cost(gpuarray.to_gpu(pred), target)

    entries = rng.permutation(pred.size)[:mostEntries]
    error = lambda: cost(gpuarray.to_gpu(pred), target)[0]
    expected = -factor * finiteDifferences(error, pred, entries)

    assert grad.shape == pred.shape
    assertClose(grad.get().reshape(-1)[entries], expected, tolerance, "pred")


def finiteDifferences(loss, values, entries):
    """dL / d(values) at some entries of an array, on the host or on the device."""
    flat, grads = values.reshape(-1), np.empty(len(entries))
    for at, entry in enumerate(entries):
        kept = float(flat[entry])
        flat[entry] = kept + step
        above = loss()
        flat[entry] = kept - step
        below = loss()
        flat[entry] = kept
        grads[at] = (above - below) / (2 * step)
    return grads


def assertClose(actual, expected, tolerance, name):
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, 0, tolerance * largest + 1e-11, err_msg=name)
