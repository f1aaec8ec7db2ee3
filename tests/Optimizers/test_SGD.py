from minidl.Optimizers import SGD
from tests.Optimizers.Steps import assertFollows, bothStates, formats


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def formula(p, gradients):
        for g in gradients:
            p = p + 0.3 * g
            yield p

    assertFollows(formula, SGD(learnRate=0.3), dtype, rtol, useGlobalState)


def test_default_rate():
    assert SGD().learnRate == 1e-3
