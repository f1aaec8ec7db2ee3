import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Conv2D, Linear, PRelu
from minidl.Optimizers import Adam, AdamW
from tests.Optimizers.Steps import assertFollows, bothStates, formats
from tests.Optimizers.test_Adam import formula


@formats
@bothStates
def test_follows_its_formula(dtype, rtol, useGlobalState):
    def decaying(p, gradients):
        shrunk, step = p, np.zeros_like(p)
        for after in formula(np.zeros_like(p), gradients, alpha=0.1):
            shrunk = shrunk - 0.1 * 0.3 * shrunk + (after - step)
            step = after
            yield shrunk

    assertFollows(decaying, AdamW(alpha=0.1, decay=0.3), dtype, rtol, useGlobalState)


@bothStates
@pytest.mark.parametrize("of", ["weights", "all"])
def test_biases_and_parameters_of_normalizations_decay_if_told(of, useGlobalState):
    net = Sequential("net").append(Conv2D(1, 3, 2)).append(BatchNorm(3)).append(Linear(5, 2))
    net.append(PRelu(4))
    for var in net.getVarTable():
        var.data.fill(2)
    optimizer = AdamW(alpha=0.5, decay=0.25, of=of)
    optimizer.setupOn(net, useGlobalState=useGlobalState)

    optimizer.zeroGradParams()
    optimizer.update()

    for names in net.getVarTable().values():
        decays = of == "all" or names[0].endswith("W")
        values = net.getVar(names[0].partition(".")[2]).data.get()
        assert (values == (2 - 0.5 * 0.25 * 2 if decays else 2)).all(), names


def test_is_adam_without_decay():
    results = []
    for optimizer in (Adam(0.1), AdamW(0.1, decay=0)):
        np.random.seed(3)
        module = Linear(7, 5)
        optimizer.setupOn(module)
        module.getVar("W").grad.set(np.ones((7, 5), np.float32))
        optimizer.update()
        results.append(module.W.get().tobytes())

    assert results[0] == results[1]


def test_the_rate_of_a_variable_counts_for_its_decay():
    module, optimizer = Linear(2, 2, useBias=False), AdamW(alpha=0.5, decay=0.25)
    module.W.set(np.full((2, 2), 2, np.float32))
    module.getVar("W").learnRate = 0.5
    optimizer.setupOn(module)

    optimizer.update()

    assert (module.W.get() == 2 - 0.5 * 0.5 * 0.25 * 2).all()
    assert isinstance(module.W, gpuarray.GPUArray)


@pytest.mark.parametrize("arguments, message", [
    (dict(decay=-1), "AdamW: decay must be at least 0 and finite, got -1"),
    (dict(of="biases"), "AdamW: of must be one of weights, all, got 'biases'"),
])
def test_refuses_what_it_does_not_know(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdamW(**arguments)
