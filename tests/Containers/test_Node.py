import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers.Node import Node, NodeError
from minidl.Modules import Activation, Add, Identity, Linear, ModuleError, Replicate


def test_edges_are_known_at_both_ends():
    x = Identity("x").node()
    y = Identity("y").node(x)
    z = Add("z").node(x, (y, 2), (y, [0, 1]))

    assert x.bwds == [] and y.bwds == [(x, None)]
    assert z.bwds == [(x, None), (y, 2), (y, [0, 1])]
    assert x.fwds == [(y, 0), (z, 0)] and y.fwds == [(z, 1), (z, 2)]


@pytest.mark.parametrize("parents", [
    lambda x, y: [x, y], lambda x, y: (x, y), lambda x, y: [(x, None), (y, None)]])
def test_parents_come_as_a_list(parents):
    x, y = Identity().node(), Identity().node()

    assert Node(Add(), parents(x, y)).bwds == [(x, None), (y, None)]


@pytest.mark.parametrize("slots", [1, [1], (0, 1)])
def test_one_parent_may_be_a_node_or_some_of_its_slots(slots):
    x = Replicate(2).node()
    expected = list(slots) if isinstance(slots, tuple) else slots

    assert Node(Identity(), x).bwds == [(x, None)]
    assert Node(Identity(), (x, slots)).bwds == Identity().node((x, slots)).bwds == [(x, expected)]


def test_a_node_is_named_as_its_module_unless_it_has_a_name():
    module = Identity("module")

    assert (module.node().name, Node(module, name="own").name) == ("module", "own")
    assert Node(Identity()).name is None
    assert repr(module.node()) == "Node 'module' of Identity 'module'"


def test_a_node_has_what_its_module_has(rng):
    node = Activation("relu").node()
    data, grad = gpuarray.to_gpu(rng.standard_normal((2, 3, 5)).astype(np.float32))

    out = node.forward(data)
    node.backward(grad)

    assert node.data is out is node.mod.data and node.grad is node.mod.grad
    assert np.array_equal(node.grad.get(), grad.get() * (data.get() > 0))


def test_parents_may_come_later():
    x, y = Identity().node(), Identity().node()

    y.addBackwards(x)
    y.addBackwards([(x, 1)])

    assert y.bwds == [(x, None), (x, 1)] and x.fwds == [(y, 0), (y, 1)]


@pytest.mark.parametrize("parent", [
    Linear(3, 2), "x", 7, lambda x: (x, -1), lambda x: (x, "a"), lambda x: (x, []),
    lambda x: (x, True), lambda x: (x, 1.0), lambda x: (x, [0, -1]), lambda x: (x, 0, 1)])
def test_what_is_no_parent_is_refused(parent):
    x = Identity("x").node()
    parent = parent(x) if type(parent) is type(lambda: 0) else parent

    with pytest.raises(NodeError, match=r"Node 'y' .*: a parent is a node, \(node, slot\) or"):
        Identity("y").node(parent)

    assert x.fwds == []


def test_what_is_no_module_is_refused():
    with pytest.raises(NodeError, match="Node: takes a module, got str"):
        Node("linear")
    assert issubclass(NodeError, ModuleError)
