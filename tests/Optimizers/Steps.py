"""Runs an optimizer on given gradients, to compare it with its formula in numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Linear

formats = pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-6), (np.float64, 1e-13)])
bothStates = pytest.mark.parametrize("useGlobalState", [False, True], ids=["local", "global"])


def problem(dtype, shape=(37, 53), steps=5):
    """(start, gradients): some of the gradients are zero."""
    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((steps, *shape))
    gradients[:, :3] = 0
    return rng.standard_normal(shape).astype(dtype), gradients.astype(dtype)


def parametersAfter(optimizer, start, gradients, useGlobalState):
    """[parameters after each step]"""
    module = Linear(*start.shape, useBias=False, name="module")
    module.calcMode(start.dtype.type)
    module.W.set(start)
    optimizer.setupOn(module, useGlobalState=useGlobalState)

    history = []
    for gradient in gradients:
        module.getVar("W").grad[...] = gpuarray.to_gpu(gradient)
        optimizer.update()
        history.append(module.W.get())
    return history


def assertFollows(formula, optimizer, dtype, rtol, useGlobalState):
    """`formula(start, gradients)` gives the parameters after each step, in float64."""
    start, gradients = problem(dtype)

    history = parametersAfter(optimizer, start, gradients, useGlobalState)

    expected = formula(start.astype(np.float64), gradients.astype(np.float64))
    for actual, wanted in zip(history, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=rtol)
