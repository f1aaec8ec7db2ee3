from minidl.Optimizers import MomentumSGD
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        m = 0
        for g in gradients:
            m = 0.8 * m + 0.3 * g
            p = p + m
            yield p

    assertFollows(formula, MomentumSGD(learnRate=0.3, momRate=0.8), dtype, rtol, useGlobalState)


def test_default_rates():
    assert (MomentumSGD().learnRate, MomentumSGD().momRate) == (1e-3, 0.9)
