import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Parallel, Sequential
from minidl.Modules import Activation, Add, BatchNorm, Identity, Linear, Replicate
from tests.Gradients import checkGradients


def onDevice(*arrays):
    return [gpuarray.to_gpu(np.asarray(array, np.float32)) for array in arrays]


def sideBySide():
    net = Parallel("net").append(Linear(5, 4, name="left"))
    return net.append(Activation("tanh", name="right"))


def test_each_module_takes_its_own_data(rng):
    net = sideBySide()
    x, z, g, h = (rng.standard_normal(shape) for shape in ((3, 5), (7, 2), (3, 4), (7, 2)))

    left, right = (y.get() for y in net(onDevice(x, z)))
    net.zeroGradParams()
    net.backward(onDevice(g, h))

    W = net["left"].W.get()
    np.testing.assert_allclose(left, x @ W, 1e-5, 1e-6)
    np.testing.assert_allclose(right, np.tanh(z), 1e-5)
    np.testing.assert_allclose(net.grad[0].get(), g @ W.T, 1e-5, 1e-6)
    np.testing.assert_allclose(net.grad[1].get(), h * (1 - np.tanh(z) ** 2), 1e-5, 1e-6)
    np.testing.assert_allclose(net.getVar("left.W").grad.get(), x.T @ g, 1e-5, 1e-5)
    assert net.dataShapeFrom([(3, 5), (7, 2)]) == [(3, 4), (7, 2)]
    assert net.gradShapeFrom([(3, 4), (7, 2)]) == [(3, 5), (7, 2)]


@pytest.mark.parametrize("train", [True, False])
def test_gradients_of_a_block_with_a_shortcut(train, rng):
    way = Sequential().append(Linear(5, 5, useBias=False)).append(BatchNorm(5))
    way.append(Activation("tanh")).append(Linear(5, 5))
    net = Sequential().append(Replicate(3)).append(
        Parallel().append(way).append(Identity()).append(Linear(5, 5))).append(Add())
    net.trainMode() if train else net.evalMode()

    checkGradients(net, rng.standard_normal((7, 5)), rng)


def test_without_updGrad_there_is_no_input_gradient(rng):
    net = sideBySide()
    net(onDevice(np.ones((3, 5)), np.ones((3, 2))))
    net.backward(onDevice(np.ones((3, 4)), np.ones((3, 2))), updGrad=False)

    assert net.grad is None
    np.testing.assert_allclose(net.getVar("left.b").grad.get(), 3)


def test_slices_and_names(rng):
    net = sideBySide().append(Identity(name="last"))

    assert net[0] is net["left"] and len(net) == 3
    assert [mod.name for mod in net[::2]] == ["left", "last"]
    assert net.pop().name == "last" and [mod.name for mod in net] == ["left", "right"]
    assert [mod.name for mod in Parallel().extend(net)] == ["left", "right"]
    assert net.getBlueprint()["graph"] == ["left", "right"]


def test_nothing_can_be_popped_from_an_empty_one():
    with pytest.raises(ContainerError, match="Parallel: has no module to pop"):
        Parallel().pop()


@pytest.mark.parametrize("data, message", [
    (np.ones((3, 5)), "data must be a list of 2 arrays, one for each module, got an array"),
    ([np.ones((3, 5))], "got 1 of them"),
    ([np.ones((3, 4)), np.ones(2)], r"module 0: Linear 'left': data must have shape \(batch, 5\)"),
])
def test_refuses_data_that_do_not_fit(data, message):
    data = onDevice(*data) if isinstance(data, list) else onDevice(data)[0]
    with pytest.raises(ContainerError, match=f"Parallel 'net': .*{message}"):
        sideBySide()(data)


def test_refuses_gradients_that_do_not_fit():
    net = sideBySide()
    with pytest.raises(ContainerError, match="backward needs a call with data first"):
        net.backward([])
    net(onDevice(np.ones((3, 5)), np.ones(2)))
    with pytest.raises(ContainerError, match="grad must be a list of 2 arrays, .* got 1 of them"):
        net.backward(onDevice(np.ones((3, 4))))
