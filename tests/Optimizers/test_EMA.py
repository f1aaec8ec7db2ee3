import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Optimizers import EMA, SGD, MomentumSGD
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.test_Optimizer import eitherState, mlp, train


def averaged(useGlobalState, decay=0.75):
    net, optimizer = mlp(), MomentumSGD(0.1)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    return net, optimizer, EMA(optimizer, decay)


def valuesOf(net):
    return [var.data.get() for var in net.getVarTable()]


@eitherState
def test_follows_its_formula(useGlobalState):
    net, optimizer, average = averaged(useGlobalState)
    expected = [value.astype(np.float64) for value in valuesOf(net)]

    for _ in range(3):
        train(net, optimizer, steps=1)
        expected = [0.75 * a + 0.25 * p for a, p in zip(expected, valuesOf(net), strict=True)]

    with average.swapped():
        for actual, wanted in zip(valuesOf(net), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-6)


@eitherState
def test_outside_the_net_is_as_it_was(useGlobalState):
    net, optimizer, average = averaged(useGlobalState)
    train(net, optimizer)
    before = [value.tobytes() for value in valuesOf(net)]

    with pytest.raises(KeyError), average.swapped():
        assert [value.tobytes() for value in valuesOf(net)] != before
        raise KeyError

    assert [value.tobytes() for value in valuesOf(net)] == before


def test_changes_no_bit_of_training():
    net, optimizer, average = averaged(True)
    plain, other = mlp(), MomentumSGD(0.1)
    other.setupOn(plain, useGlobalState=True)

    with average.swapped():
        pass

    assert train(net, optimizer) == train(plain, other)


@eitherState
def test_a_file_holds_it_with_global_state_or_without(useGlobalState):
    net, optimizer, average = averaged(useGlobalState)
    train(net, optimizer)
    other, _, loaded = averaged(not useGlobalState)

    loaded.load(average.save())

    with average.swapped(), loaded.swapped():
        assert [each.tobytes() for each in valuesOf(net)] == [
            each.tobytes() for each in valuesOf(other)]


def test_a_file_that_does_not_fit_changes_nothing(tmp_path):
    import h5py

    net, optimizer, average = averaged(True)
    before = {name: array.get().tobytes() for name, array in average.averages.items()}
    train(net, optimizer, steps=1)
    with h5py.File(tmp_path / "average.hdf", "w") as file:
        average.save(file)
        kept = {name: array.get().tobytes() for name, array in average.averages.items()}
        del file[".average/net.0.b"]
        file[".average/net.0.b"] = np.zeros((300, 1), np.float32)
        with pytest.raises(ValueError, match=r"EMA: cannot load .*net.0.b must have shape \(300,"):
            average.load(file)

    after = {name: array.get().tobytes() for name, array in average.averages.items()}
    assert after == kept != before


def test_a_steady_step_asks_the_system_for_no_memory():
    net, optimizer, _ = averaged(True)
    train(net, optimizer)
    before = gpuarray.memoryPool.getStats()[2]

    train(net, optimizer)

    assert gpuarray.memoryPool.getStats()[2] == before


def test_setup_of_the_optimizer_comes_first():
    with pytest.raises(OptimizerError, match="setupOn"):
        EMA(SGD())


@pytest.mark.parametrize("decay", [-0.1, 1, np.nan])
def test_refuses_a_decay_that_is_none(decay):
    with pytest.raises(OptimizerError, match=f"EMA: decay must be .* below 1, got {decay}"):
        averaged(True, decay)
