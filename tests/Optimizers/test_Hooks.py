import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Linear
from minidl.Optimizers import SGD
from minidl.Optimizers.Hooks import WeightDecay


def stepped(wc, rate=0.1, useGlobalState=False):
    """(W after a step with gradients of 1 and weight decay, W before)"""
    module, optimizer = Linear(3, 4, useBias=False), SGD(learnRate=0.5)
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    optimizer.addHook(WeightDecay(rate))
    module.getVar("W").grad.fill(1)
    (optimizer.globalVar if useGlobalState else module.getVar("W")).wc = wc
    before = module.W.get()
    optimizer.update()
    return module.W.get(), before


@pytest.mark.parametrize("useGlobalState", [False, True])
def test_weight_decay_draws_parameters_to_zero(useGlobalState):
    after, before = stepped(2.0, useGlobalState=useGlobalState)

    np.testing.assert_allclose(after, before + 0.5 * (1 - 0.1 * 2 * before), rtol=1e-6, atol=1e-7)


def test_a_variable_whose_wc_is_zero_does_not_decay():
    after, before = stepped(0.0)

    np.testing.assert_allclose(after, before + 0.5, rtol=1e-6, atol=1e-7)


def test_variables_start_without_decay():
    assert all(var.wc == 0 for var in Linear(3, 4).vars.values())


def test_hooks_come_in_the_order_they_were_added():
    module, optimizer = Linear(1, 1, useBias=False), SGD(learnRate=1)
    optimizer.setupOn(module)
    module.W.fill(0)
    module.getVar("W").grad.fill(1)
    optimizer.addHook(lambda var, state: var.grad.set(var.grad.get() + 2))
    optimizer.addHook(lambda var, state: var.grad.set(var.grad.get() * 5))

    optimizer.update()

    assert module.W.get() == 15


def test_hooks_see_the_state_of_the_variable():
    from minidl.Optimizers import Adam

    module, optimizer, seen = Linear(2, 3), Adam(), []
    optimizer.setupOn(module)
    optimizer.addHook(lambda var, state: seen.append((var, sorted(state), state["mg"].shape)))

    optimizer.update()

    variables = [module.getVar("W"), module.getVar("b")]
    assert [(var, names) for var, names, _ in seen] == [(var, ["mg", "ms"]) for var in variables]
    assert all(shape == var.data.shape for var, _, shape in seen)
    assert isinstance(seen[0][0].data, gpuarray.GPUArray)
