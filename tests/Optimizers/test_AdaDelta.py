import numpy as np
import pytest

from minidl.Optimizers import AdaDelta
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.Steps import assertFollows, bothStates, formats


def formula(p, gradients, rho, epsilon, rate=1.0):
    msg = msdx = 0
    for g in gradients:
        msg = rho * msg + (1 - rho) * g ** 2
        d = np.sqrt((msdx + epsilon) / (msg + epsilon)) * g
        msdx = rho * msdx + (1 - rho) * d ** 2
        p = p + rate * d
        yield p


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    assertFollows(lambda p, g: formula(p, g, 0.8, 1e-2), AdaDelta(rho=0.8, epsilon=1e-2),
                  dtype, rtol, useGlobalState)


def test_a_learning_rate_that_is_set_multiplies_its_steps():
    optimizer = AdaDelta()
    assert (optimizer.learnRate, optimizer.rho, optimizer.epsilon) == (1, 0.95, 1e-6)
    optimizer.learnRate = 0.5

    assertFollows(lambda p, g: formula(p, g, 0.95, 1e-6, 0.5), optimizer, np.float64, 1e-13, False)


def test_refuses_a_rho_that_forgets_nothing():
    with pytest.raises(OptimizerError, match="AdaDelta: rho must be below 1, got 1"):
        AdaDelta(rho=1)
