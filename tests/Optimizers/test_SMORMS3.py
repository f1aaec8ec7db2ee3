import numpy as np
import pytest

from minidl.Optimizers import SMORMS3
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
@pytest.mark.parametrize("rate", [1e-3, 0.3], ids=["bounded", "free"])
def test_follows_its_formula(rate, dtype, rtol, useGlobalState):
    def formula(p, gradients):
        mem, mg, ms = 1, 0, 0
        for g in gradients:
            r = 1 / (1 + mem)
            mg = (1 - r) * mg + r * g
            ms = (1 - r) * ms + r * g ** 2
            x = mg ** 2 / (ms + 1e-16)
            mem = 1 + mem * (1 - x)
            p = p + np.minimum(rate, x) * g / (np.sqrt(ms) + 1e-16)
            yield p

    assertFollows(formula, SMORMS3(learnRate=rate), dtype, rtol, useGlobalState)


def test_default_rates():
    assert (SMORMS3().learnRate, SMORMS3().epsilon) == (1e-3, 1e-16)
