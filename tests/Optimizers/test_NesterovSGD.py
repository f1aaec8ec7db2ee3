from minidl.Optimizers import NesterovSGD
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        m = 0
        for g in gradients:
            p = p + 0.8 ** 2 * m + (1 + 0.8) * 0.3 * g
            m = 0.8 * m + 0.3 * g
            yield p

    assertFollows(formula, NesterovSGD(learnRate=0.3, momRate=0.8), dtype, rtol, useGlobalState)
