import numpy as np
import pytest

from minidl.Optimizers import Adam
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.Steps import assertFollows, bothStates, formats, parametersAfter, problem


def formula(p, gradients, alpha=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
    mg = ms = 0
    for t, g in enumerate(gradients, start=1):
        mg = beta1 * mg + (1 - beta1) * g
        ms = beta2 * ms + (1 - beta2) * g ** 2
        rate = alpha * np.sqrt(1 - beta2 ** t) / (1 - beta1 ** t)
        p = p + rate * mg / (np.sqrt(ms) + epsilon)
        yield p


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    assertFollows(formula, Adam(), dtype, rtol, useGlobalState)


@formats
@bothStates
def test_follows_its_formula_with_other_arguments(dtype, rtol, useGlobalState):
    other = dict(alpha=0.1, beta1=0.7, beta2=0.9, epsilon=1e-3)

    assertFollows(lambda p, g: formula(p, g, **other), Adam(**other), dtype, rtol, useGlobalState)


def test_alpha_may_change_and_the_rate_follows():
    start, gradients = problem(np.float64, steps=2)
    optimizer = Adam(alpha=0.1)
    first, = parametersAfter(optimizer, start, gradients[:1], False)
    optimizer.alpha = 0.2

    optimizer.update()

    assert optimizer.learnRate == pytest.approx(0.2 * np.sqrt(1 - 0.999 ** 2) / (1 - 0.9 ** 2))


@pytest.mark.parametrize("arguments", [dict(beta1=1), dict(beta2=1.5)])
def test_refuses_betas_that_forget_nothing(arguments):
    with pytest.raises(OptimizerError, match="Adam: beta[12] must be below 1, got"):
        Adam(**arguments)
