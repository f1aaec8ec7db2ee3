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

    The weights are random: under a plain sum many right and wrong gradients are equally zero. An
    error may be at most `tolerance` times the largest number of its gradient. The module computes
    in float64 from here on, and random numbers of the device repeat with each call.
    """
    rng = rng or np.random.default_rng(0)
    module.calcMode(np.float64)
    values = {"data": data.astype(np.float64)}
    variables = {names[0]: var for var, names in module.getVarTable(name="module").items()}

    def forward():
        gpuarray.globalRng.seed(0)
        return module(gpuarray.to_gpu(values["data"])).get()

    weights = rng.standard_normal(forward().shape)
    module.backward(gpuarray.to_gpu(weights), momentum=0.0)
    grads = {"data": module.grad.get()}
    if module.train:
        values.update((name, var.data) for name, var in variables.items())
        grads.update((name, var.grad.get()) for name, var in variables.items())

    for name, value in values.items():
        assert grads[name].shape == value.shape, name
        entries = rng.permutation(value.size)[:mostEntries]
        expected = finiteDifferences(lambda: (weights * forward()).sum(), value, entries)
        assertClose(grads[name].reshape(-1)[entries], expected, tolerance, name)


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
