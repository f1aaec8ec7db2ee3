import numpy as np
import pytest

from minidl.Optimizers import RMSPropGraves
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.Steps import assertFollows, bothStates, formats, parametersAfter


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        mg = ms = delta = 0
        for g in gradients:
            mg = 0.8 * mg + (1 - 0.8) * g
            ms = 0.8 * ms + (1 - 0.8) * g ** 2
            delta = 0.7 * delta + 0.3 * g / np.sqrt(ms - mg ** 2 + 1e-2)
            p = p + delta
            yield p

    optimizer = RMSPropGraves(learnRate=0.3, alpha=0.8, momRate=0.7, epsilon=1e-2)
    assertFollows(formula, optimizer, dtype, rtol, useGlobalState)


def test_default_rates():
    optimizer = RMSPropGraves()
    assert (optimizer.learnRate, optimizer.alpha) == (1e-4, 0.95)
    assert (optimizer.momRate, optimizer.epsilon) == (0.9, 1e-4)


def test_a_variance_that_rounding_makes_negative_counts_as_zero():
    """Of large gradients that hardly change ms and mg^2 are equal but for rounding."""
    rise = np.linspace(1, 1.0006, 400)[:, None, None]
    gradients = (rise * np.linspace(1e3, 1e4, 50) * np.ones((2, 1))).astype(np.float32)

    last = parametersAfter(RMSPropGraves(), np.zeros((2, 50), np.float32), gradients, False)[-1]

    assert np.isfinite(last).all()


def test_refuses_an_alpha_that_forgets_nothing():
    with pytest.raises(OptimizerError, match="RMSPropGraves: alpha must be below 1, got 1"):
        RMSPropGraves(alpha=1)
