import numpy as np
import pytest

from minidl.Optimizers import RMSProp
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        ms = 0
        for g in gradients:
            ms = 0.8 * ms + (1 - 0.8) * g ** 2
            p = p + 0.3 * g / (np.sqrt(ms) + 1e-3)
            yield p

    optimizer = RMSProp(learnRate=0.3, factor=0.8, epsilon=1e-3)
    assertFollows(formula, optimizer, dtype, rtol, useGlobalState)


def test_default_rates():
    assert (RMSProp().learnRate, RMSProp().factor, RMSProp().epsilon) == (1e-3, 0.9, 1e-5)


def test_refuses_a_factor_that_forgets_nothing():
    with pytest.raises(OptimizerError, match="RMSProp: factor must be below 1, got 1"):
        RMSProp(factor=1)
