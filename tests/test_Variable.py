import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Modules import Linear
from minidl.Variable import Variable


def onDevice(*values):
    return gpuarray.to_gpu(np.array(values, np.float32))


def test_starts_with_a_gradient_of_zeros_and_plain_rates():
    var = Variable(onDevice(1, 2, 3))

    assert var.grad.get().tolist() == [0, 0, 0] and var.grad.dtype == np.float32
    assert (var.learnRate, var.momRate, var.wc) == (1, 1, 0)
    assert not var.hasUpdater and not var.hasPostUpdater


def test_takes_a_gradient_or_none():
    grad = onDevice(4, 5)

    assert Variable(onDevice(1, 2), grad=grad).grad is grad
    assert Variable(onDevice(1, 2), withgrad=False).grad is None


def test_has_no_gradient_in_global_evaluation_mode(monkeypatch):
    monkeypatch.setattr(Config, "globalEvalMode", True)

    assert Variable(onDevice(1)).grad is None
    assert not Linear(3, 2).train


def test_refuses_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"Variable W: grad must have the shape of data \(2,\)"):
        Variable(onDevice(1, 2), name="W", grad=onDevice(1, 2, 3))


def test_names_are_given_or_numbers_that_differ():
    first, second = Variable(onDevice(1)), Variable(onDevice(1))

    assert Variable(onDevice(1), name="W").name == "W"
    assert int(second.name) == int(first.name) + 1


def test_set_takes_over_values_in_the_same_memory():
    var, other = Variable(onDevice(1, 2)), Variable(onDevice(3, 4), grad=onDevice(5, 6))
    data, grad = var.data, var.grad

    var.set(other)

    assert var.data is data and var.grad is grad
    assert data.get().tolist() == [3, 4] and grad.get().tolist() == [5, 6]
    assert var.data is not other.data


def test_set_refuses_another_shape():
    with pytest.raises(ValueError, match=r"float32 of shape \(2,\)"):
        Variable(onDevice(1, 2)).set(Variable(onDevice(1)))


def test_updaters_are_called_with_the_variable():
    calls = []
    var = Variable(onDevice(1), updater=lambda *args: calls.append(args),
                   postUpdater=lambda *args: calls.append(args))

    var.update(0.5)
    var.postUpdate()

    assert calls == [(var, 0.5), (var,)] and var.hasUpdater and var.hasPostUpdater


def test_equality_is_identity():
    data = onDevice(1)

    assert len({Variable(data), Variable(data)}) == 2


def test_repr_tells_name_shape_and_dtype():
    assert repr(Variable(onDevice(1, 2), name="W")) == "Variable W (2,) float32"
