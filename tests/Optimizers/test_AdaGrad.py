import numpy as np

from minidl.Optimizers import AdaGrad
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        h = 0
        for g in gradients:
            h = h + g ** 2
            p = p + 0.3 * g / (np.sqrt(h) + 1e-3)
            yield p

    assertFollows(formula, AdaGrad(learnRate=0.3, epsilon=1e-3), dtype, rtol, useGlobalState)


def test_default_rates():
    assert (AdaGrad().learnRate, AdaGrad().epsilon) == (1e-3, 1e-8)
