import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Sequential
from minidl.Modules import Activation, BatchNorm, Linear
from minidl.Variable import Variable


def nested():
    inner = Sequential("inner").append(Linear(4, 4, name="lin")).append(BatchNorm(4, name="bn"))
    return Sequential("net").extend([Linear(4, 4, name="lin"), inner, Activation("relu")])


def test_variables_are_found_by_their_path():
    net = nested()

    assert net.getVar("inner.lin.W") is net["inner"]["lin"].getVar("W")
    assert net.getVar("lin.W") is net["lin"].getVar("W")


def test_variables_are_set_by_their_path():
    net, var = nested(), Variable(gpuarray.zeros((4, 4)))

    net.setVar("inner.lin.W", var)

    assert net["inner"]["lin"].getVar("W") is var and net["inner"]["lin"].W is var.data


@pytest.mark.parametrize("path, message", [
    ("W", "Sequential 'net': has no variables of its own"),
    ("inner.W", "Sequential 'inner': has no variables of its own"),
    ("outer.W", "Sequential 'net': there is no module outer, only lin, inner"),
    ("inner.lin.V", "Linear 'lin': there is no variable V, only W, b"),
])
def test_a_path_that_leads_nowhere_tells_where_it_ends(path, message):
    with pytest.raises(ValueError, match=message):
        nested().getVar(path)


def test_table_has_full_names_in_the_order_of_modules():
    names = [name for names in nested().getVarTable().values() for name in names]

    assert names == ["net.lin.W", "net.lin.b", "net.inner.lin.W", "net.inner.lin.b",
                     "net.inner.bn.scale", "net.inner.bn.bias"]


def test_table_has_all_names_of_a_shared_variable():
    net = nested()
    net.setVar("inner.lin.W", net.getVar("lin.W"))

    assert net.getVarTable()[net.getVar("lin.W")] == ["net.lin.W", "net.inner.lin.W"]


def test_counts_shared_parameters_once():
    net = nested()
    assert net.numOfParams() == 2 * (16 + 4) + 8

    net.setVar("inner.lin.W", net.getVar("lin.W"))
    assert net.numOfParams() == 2 * (16 + 4) + 8 - 16
    assert net.paramSize() == 4 * net.numOfParams()


def test_finds_modules_by_name_and_type_at_any_depth():
    net = nested()

    assert net.getByName("bn") is net["inner"]["bn"]
    assert net.getByName("lin") is net["lin"]
    assert net.getByName("nothing") is None
    assert net.getAllByType(Linear) == [net["lin"], net["inner"]["lin"]]
    assert net.getAllByType(Sequential) == [net["inner"]]


def test_modes_reach_all_modules():
    net = nested()

    net.evalMode()
    assert not any(mod.train for _, mod in net.namedModules(""))
    net.trainMode()
    assert all(mod.train for _, mod in net.namedModules(""))


def test_dtype_reaches_all_modules(rng):
    net = nested()

    net.calcMode(np.float64)

    assert {var.data.dtype for var in net.getVarTable()} == {np.dtype(np.float64)}
    assert net(gpuarray.to_gpu(rng.standard_normal((3, 4)))).dtype == np.float64


def test_reset_reaches_all_modules():
    net = nested()
    net(gpuarray.to_gpu(np.ones((3, 4), np.float32)))

    net.reset()

    assert all(mod.data is mod.inData is None for _, mod in net.namedModules(""))


def test_updateParams_moves_shared_parameters_once():
    net = nested()
    net.setVar("inner.lin.W", net.getVar("lin.W"))
    before = net.getVar("lin.W").data.get()
    for var in net.getVarTable():
        var.grad.fill(1)

    net.updateParams(0.5)

    np.testing.assert_allclose(net.getVar("lin.W").data.get(), before + 0.5, rtol=1e-6)


def test_keeps_attributes_of_the_users():
    net = nested()
    net.setAttr("epoch", 7)

    assert net.hasAttr("epoch") and net.getAttr("epoch") == 7
    with pytest.raises(ContainerError, match="there is no attribute accuracy, only epoch"):
        net.getAttr("accuracy")
