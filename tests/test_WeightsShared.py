"""Files of shared variables, of containers' attributes, and of modules with unusual names."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Linear, ModuleError
from minidl.Optimizers import SGD
from tests.Case import stateOf
from tests.test_Weights import make, tree


def shared(seed=0):
    np.random.seed(seed)
    first, second = Linear(3, 3, name="one"), Linear(3, 3, name="two", empty=True, useBias=False)
    second.setVar("W", first.getVar("W"))
    return Sequential("net").append(first).append(second)


@pytest.mark.parametrize("useGlobalState", [None, False, True])
def test_a_shared_variable_is_stored_once_and_stays_shared(useGlobalState):
    net, fresh = shared(), shared(seed=1)
    if useGlobalState is not None:
        SGD().setupOn(net, useGlobalState=useGlobalState)

    datasets, _ = tree(net.save())
    fresh.load(net.save())

    assert datasets["links/net.one.W"] == datasets["links/net.two.W"] == 0
    assert {path for path in datasets if path.startswith("params/")} == {"params/0", "params/1"}
    assert fresh["one"].getVar("W") is fresh["two"].getVar("W")
    assert fresh["one"].W is fresh["two"].W
    assert stateOf(fresh) == stateOf(net)


def separate(equal):
    net = Sequential("net").append(Linear(3, 3, name="one"))
    net.append(Linear(3, 3, name="two", useBias=False))
    if equal:
        net["two"].W.set(net["one"].W.get())
    return net


def test_a_file_of_equal_weights_may_become_shared():
    net, fresh = separate(equal=True), shared()

    fresh.load(net.save())

    assert np.array_equal(fresh["two"].W.get(), net["one"].W.get())


def test_a_file_of_different_weights_may_not_become_shared():
    with pytest.raises(ModuleError, match="net.one.W and net.two.W are one variable here, in the"):
        shared().load(separate(equal=False).save())


def test_a_file_of_shared_weights_may_become_separate():
    net, fresh = shared(), separate(equal=False)

    fresh.load(net.save())

    assert fresh["one"].W is not fresh["two"].W
    assert np.array_equal(fresh["one"].W.get(), fresh["two"].W.get())


values = {
    "number": 7, "rate": 0.25, "flag": True, "words": "digits, 8x8", "unicode": "приве́т 数",
    "matrix": np.arange(6).reshape(2, 3), "empty": np.zeros((0, 3)), "net.dotted": 1.5,
    "device": gpuarray.to_gpu(np.ones((2, 2), np.float32)),
}


@pytest.mark.parametrize("name", ["net", None])
def test_attributes_of_containers_come_back(name):
    net, fresh = make(name), make(name, seed=1)
    for key, value in values.items():
        net.setAttr(key, value)
    net["inner"].setAttr("epoch", 3)
    fresh.setAttr("kept", "as the file says nothing of it")

    fresh.load(net.save())

    for key, value in values.items():
        np.testing.assert_array_equal(fresh.getAttr(key), np.asarray(value))
    assert fresh["inner"].getAttr("epoch") == 3 and fresh.hasAttr("kept")
    assert isinstance(fresh.getAttr("words"), str)


def test_attributes_of_containers_are_kept_under_their_own_name():
    net = make()
    net.setAttr("epoch", 7)
    net["inner"].setAttr("epoch", 3)

    datasets, _ = tree(net.save())

    assert datasets["attrs.net/net.epoch"] == 7 and datasets["attrs.net.inner/inner.epoch"] == 3


@pytest.mark.parametrize("name", ["", "a/b"])
def test_attributes_of_containers_have_names_that_files_can_have(name):
    with pytest.raises(ModuleError, match="must not be empty or have a slash"):
        make().setAttr(name, 1)


@pytest.mark.parametrize("name", ["a.b", "..", ".", "x" * 300, "ключ", "a b", "0", "links"])
def test_any_name_without_a_slash_comes_back(name):
    net, fresh = make(name), make(name, seed=1)
    module, other = Linear(3, 2, name=name), Linear(3, 2, name=name)

    fresh.load(net.save())
    other.load(module.save())

    assert stateOf(fresh) == stateOf(net) and stateOf(other) == stateOf(module)


@pytest.mark.parametrize("name", ["a/b", "/", "/links", "../x", "a\0b"])
def test_a_name_that_would_lead_elsewhere_is_refused(name):
    with pytest.raises(ModuleError, match="a name in a file has no slash and no zero"):
        Linear(3, 2, name=name).save()
