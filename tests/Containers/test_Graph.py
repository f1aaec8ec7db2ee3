import json

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Graph, Parallel, Sequential
from minidl.Containers.Node import Node
from minidl.Modules import (
    Activation,
    Add,
    BatchNorm,
    Identity,
    Linear,
    Module,
    ModuleError,
    Replicate,
    SpatialTf,
)
from tests.Gradients import checkGradients


class Halves(Module):
    """Both halves of the columns, as a list."""

    def updateData(self, data):
        half = data.shape[1] // 2
        self.data = [gpuarray.to_gpu(np.ascontiguousarray(part)) for part in
                     (data.get()[:, :half], data.get()[:, half:])]

    def updateGrad(self, grad):
        self.grad = gpuarray.to_gpu(np.concatenate([each.get() for each in grad], axis=1))

    def dataShapeFrom(self, shape):
        return [(shape[0], shape[1] // 2)] * 2

    def gradShapeFrom(self, shape):
        return shape[0][0], shape[0][1] + shape[1][1]


def onDevice(*arrays):
    return [gpuarray.to_gpu(np.asarray(array, np.float32)) for array in arrays]


def linear(name, insize=5, outsize=5, **kwargs):
    return Linear(insize, outsize, name=name, **kwargs)


def act(word="tanh", name=None, **kwargs):
    return Activation(word, name=name or word, **kwargs)


def diamond(name="net"):
    """tanh(x) + tanh(x) W, of x = data V"""
    x = linear("x").node()
    side = act(name="side").node(x)
    way = linear("way", useBias=False).node(act(name="act").node(x))
    return Graph(x, Add("sum").node(side, way), name=name)


def test_what_several_nodes_take_gets_the_sum_of_their_gradients(rng):
    net, x, g = diamond(), rng.standard_normal((7, 5)), rng.standard_normal((7, 5))

    y = net(onDevice(x)[0]).get()
    net.zeroGradParams()
    net.backward(onDevice(g)[0])

    V, W = net["x"].W.get(), net["way"].W.get()
    h = np.tanh(x @ V)
    back = (g + g @ W.T) * (1 - h ** 2)
    np.testing.assert_allclose(y, h + h @ W, 1e-5, 1e-5)
    np.testing.assert_allclose(net.grad.get(), back @ V.T, 1e-4, 1e-4)
    np.testing.assert_allclose(net.getVar("x.W").grad.get(), x.T @ back, 1e-4, 1e-4)
    np.testing.assert_allclose(net.getVar("way.W").grad.get(), h.T @ g, 1e-4, 1e-4)
    assert net.data is net["sum"].data
    assert net.dataShapeFrom((7, 5)) == net.gradShapeFrom((7, 5)) == (7, 5)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("takers", [2, 3, 5])
def test_gradients_of_a_fan(train, takers, rng):
    x = linear("x").node()
    ways = [linear(f"w{i}").node(act(name=f"a{i}").node(x)) for i in range(takers)]
    net = Graph(x, act("sigmoid").node(Add().node(*ways, x)))
    net.trainMode() if train else net.evalMode()

    checkGradients(net, rng.standard_normal((7, 5)), rng)


def test_gradients_of_a_block_with_batch_normalization(rng):
    x = BatchNorm(5, name="x").node()
    way = linear("way", useBias=False).node(act("relu").node(x))
    norm = BatchNorm(5, name="norm").node(way)
    net = Graph(x, act("leakyRelu").node(Add("sum").node(x, norm)))

    checkGradients(net, rng.standard_normal((7, 5)), rng)


def test_a_gradient_that_others_hold_too_is_not_changed_in_place(rng):
    x = Identity("x").node()
    ways = [Identity(f"w{i}").node(x) for i in range(3)]
    net = Graph(x, Add("sum").node(*ways))
    data, grad = onDevice(*rng.standard_normal((2, 7, 5)))
    kept = grad.get()

    net(data)
    net.backward(grad)

    assert np.array_equal(grad.get(), kept)  # every way has handed on this very array
    np.testing.assert_allclose(net.grad.get(), 3 * kept, 1e-6)


def joins(outputs=1):
    """tanh(a V) + b W, and if wanted the first of these as well"""
    a, b = linear("a", 3).node(), linear("b", 4).node()
    h = act().node(a)
    total = Add("sum").node(h, b)
    return Graph([a, b], total if outputs == 1 else [total, act("relu").node(h)], name="net")


@pytest.mark.parametrize("outputs", [1, 2])
def test_several_inputs_and_outputs(outputs, rng):
    net, (a, b) = joins(outputs), (rng.standard_normal((7, n)) for n in (3, 4))
    grads = rng.standard_normal((outputs, 7, 5))

    found = net(onDevice(a, b))
    net.zeroGradParams()
    net.backward(onDevice(*grads) if outputs > 1 else onDevice(*grads)[0])

    V, W = net["a"].W.get(), net["b"].W.get()
    h = np.tanh(a @ V)
    expected = [h + b @ W, np.maximum(h, 0)][:outputs]
    for y, out in zip(found if outputs > 1 else [found], expected, strict=True):
        np.testing.assert_allclose(y.get(), out, 1e-5, 1e-5)
    back = (grads[0] + (grads[1] * (h > 0) if outputs > 1 else 0)) * (1 - h ** 2)
    np.testing.assert_allclose(net.grad[0].get(), back @ V.T, 1e-4, 1e-4)
    np.testing.assert_allclose(net.grad[1].get(), grads[0] @ W.T, 1e-4, 1e-4)
    np.testing.assert_allclose(net.getVar("a.W").grad.get(), a.T @ back, 1e-4, 1e-4)
    shapes = [(7, 5)] * outputs if outputs > 1 else (7, 5)
    assert net.dataShapeFrom([(7, 3), (7, 4)]) == shapes
    assert net.gradShapeFrom(shapes) == [(7, 3), (7, 4)]


def splits(*slots):
    """The sum of some of the halves of data."""
    x = Halves(name="x").node()
    parts = [Node(act(name=f"a{i}"), (x, slot)) for i, slot in enumerate(slots)]
    total = Add("sum").node(*parts) if len(parts) > 1 else parts[0]
    return Graph(x, total)


@pytest.mark.parametrize("slots", [(0, 1), (1, 0), (0, 0), (1, 1, 0), (1,)], ids=str)
def test_gradients_of_a_module_that_gives_a_list(slots, rng):
    net = splits(*slots)

    checkGradients(net, rng.standard_normal((7, 6)), rng)

    grad = net.grad.get()
    for half in {0, 1} - set(slots):  # which nobody takes
        assert (grad[:, 3 * half:3 * half + 3] == 0).all()
    assert net.gradShapeFrom((7, 3)) == (7, 6)


@pytest.mark.parametrize("slots", [None, [0, 1], [1, 0], [1, 1]], ids=str)
def test_a_node_takes_several_slots_of_one_parent(slots, rng):
    x = Halves(name="x").node()
    ways = Parallel("ways").append(linear("a", 3)).append(linear("b", 3))
    way = Node(ways, (x, slots) if slots else x)
    net = Graph(x, Add("sum").node(way))

    checkGradients(net, rng.standard_normal((7, 6)), rng)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)], ids=str)
def test_slots_stand_beside_other_parents(order, rng):
    first = Identity("first").node()
    x, y = Halves(name="x").node(first), linear("y", 6, 3).node(first)
    ways = Parallel("ways").extend([Linear(3, 2, name=f"way{i}") for i in range(4)])
    parents = [y, (x, [1, 0]), (x, 0)]
    net = Graph(first, Add("sum").node(Node(ways, [parents[i] for i in order])))

    checkGradients(net, rng.standard_normal((7, 6)), rng)


def test_one_node_may_take_another_twice(rng):
    x = linear("x").node()
    net = Graph(x, Add("sum").node(x, x))

    checkGradients(net, rng.standard_normal((7, 5)), rng)


def test_a_module_with_two_inputs_gives_each_parent_its_gradient(rng):
    maps, theta = Identity("maps").node(), Identity("theta").node()
    net = Graph([maps, theta], SpatialTf(name="look").node(maps, theta))
    alone, x = SpatialTf(), rng.standard_normal((2, 1, 4, 5))
    data = onDevice(x, np.tile([[0.9, 0.1, 0], [0, 0.8, 0.1]], (2, 1, 1)))
    g, = onDevice(rng.standard_normal((2, 1, 4, 5)))

    out, expected = net(data), alone(data)
    net.backward(g)
    alone.backward(g)

    for one, other in zip([out, *net.grad], [expected, *alone.grad], strict=True):
        assert np.array_equal(one.get(), other.get())


def test_containers_stand_at_nodes(rng):
    x = Sequential("x").append(linear("lin")).append(act("relu")).node()
    inner = diamond("inner").node(x)
    net = Graph(x, Add("sum").node(inner, Sequential("way").append(linear("lin")).node(x)),
                name="net")

    checkGradients(net, rng.standard_normal((7, 5)), rng)

    names = [name for names in net.getVarTable().values() for name in names]
    assert {"net.x.lin.W", "net.inner.way.W", "net.way.lin.b"} <= set(names)
    assert net.getVar("inner.way.W") is inner.mod["way"].getVar("W")


def test_a_graph_stands_in_a_sequential(rng):
    net = Sequential("net").append(linear("first")).append(diamond("graph")).append(act("relu"))

    checkGradients(net, rng.standard_normal((7, 5)), rng)


class Counting(Linear):
    """Counts how often it finds its input's gradient."""

    found = 0

    def updateGrad(self, grad):
        self.found += 1
        super().updateGrad(grad)


def counting(name):
    return Counting(5, 5, name=name)


def test_without_updGrad_only_what_parameters_need_is_computed(rng):
    x, y = Identity("x").node(), act(name="y").node()
    first, second = counting("first").node(x), counting("second").node(x)
    third = counting("third").node(first)
    net = Graph([x, y], Add("sum").node(second, third, y))
    data, g = onDevice(*rng.standard_normal((2, 7, 5))), onDevice(rng.standard_normal((7, 5)))[0]
    net(data)
    net.zeroGradParams()
    net.backward(g)
    expected = [var.grad.get() for var in net.getVarTable()]

    net(data)
    net.zeroGradParams()
    net["y"].grad = net["x"].grad = None
    net.backward(g, updGrad=False)

    assert net.grad is net["y"].grad is net["x"].grad is None
    assert [net[name].found for name in ("first", "second", "third")] == [1, 1, 2]
    for var, grad in zip(net.getVarTable(), expected, strict=True):
        assert np.array_equal(var.grad.get(), grad)


@pytest.mark.parametrize("build", [
    lambda first: Sequential().append(Sequential().append(first)).append(act()),
    lambda first: Sequential().append(Parallel().append(first)).append(Add()),
    lambda first: Sequential().append(first),
    lambda first: (lambda x: Graph(x, act().node(x)))(first.node()),
    lambda first: (lambda x: Sequential().append(Graph(x, act().node(x))))(first.node()),
])
@pytest.mark.parametrize("make", [counting, lambda name: BatchNorm(5, name=name)])
def test_parameters_of_the_first_module_are_trained_without_updGrad(build, make, rng):
    first = make("first")
    net, x, g = build(first), *onDevice(*rng.standard_normal((2, 7, 5)))
    isList = isinstance(net, Sequential) and isinstance(net[0], Parallel)
    if isList:
        net[0].append(Identity())
    net([x, x] if isList else x)
    net.zeroGradParams()
    net.backward(g)
    expected = [var.grad.get() for var in net.getVarTable()]
    first.found = 0

    net.zeroGradParams()
    net.backward(g, updGrad=False)

    assert first.found == 0 and first.grad is net.grad is None
    for var, grad in zip(net.getVarTable(), expected, strict=True):
        assert np.abs(grad).max() > 0 and np.array_equal(var.grad.get(), grad)


def test_names_are_those_of_modules_or_nodes_or_numbers():
    x = Node(Linear(5, 5, name="module"), name="own")
    y = Identity().node(x)
    net = Graph(x, Identity("last").node(y))

    assert list(net.nodes) == list(net.modules) == ["own", "1", "last"]
    assert net.getNodeByName("own") is x and net["own"] is x.mod and y.name == y.mod.name == "1"
    assert [names[0] for names in net.getVarTable().values()] == [".own.W", ".own.b"]
    with pytest.raises(ContainerError, match="there is no node x, only own, 1, last"):
        net.getNodeByName("x")


def test_nodesOnly_leaves_modules_to_the_other_graph(rng):
    net = diamond()
    looking = Graph(net.inputs, net.getNodeByName("act"), nodesOnly=True, name="looking")
    both = Graph(net.inputs, [net.getNodeByName("x"), *net.outputs], nodesOnly=True)
    x, = onDevice(rng.standard_normal((7, 5)))
    y = net(x).get()

    assert np.array_equal(looking(x).get(), net["act"].data.get())
    assert looking.modules == {} and looking.numOfParams() == 0
    hidden, out = both(x)
    assert np.array_equal(out.get(), y) and hidden is net["x"].data
    both.backward(onDevice(np.ones((7, 5)), np.zeros((7, 5))))
    np.testing.assert_allclose(both.grad.get(), np.ones((7, 5)) @ net["x"].W.get().T, 1e-5, 1e-5)


def nodes(*names):
    return [Identity(name).node() for name in names]


def row():
    """A node and its child."""
    x, = nodes("x")
    return x, Identity("y").node(x)


def cyclic():
    x, = nodes("x")
    y = Add("y").node(x)
    z = Identity("z").node(y)
    y.addBackwards(z)
    return x, z


def dangling():
    x, y = row()
    Identity("z").node(x)
    return x, y


def repeated():
    module = Identity("twice")
    x = module.node()
    return x, module.node(x)


def sameName():
    x, = nodes("x")
    return x, Identity("x").node(x)


def foreign():
    x, y = nodes("x", "y")
    return x, Add("z").node(x, y)


refused = {
    "cycle": (cyclic, "Graph 'net': nodes go in a cycle: .*Node 'y' of Add 'y'"),
    "input that leads nowhere": (lambda: (nodes("x", "z"), row()[1]), "Node 'x' .*has no parents"),
    "unreachable input": (lambda: ([*nodes("z"), (ends := row())[0]], ends[1]),
                          "no output is computed from the input Node 'z'"),
    "foreign parent": (foreign, "Node 'y' of Identity 'y' has no parents: name it among the inpu"),
    "input with a parent": (lambda: (list(ends := row()), ends[1]), "an input has no parents, Nod"),
    "output with a child": (lambda: ((ends := row())[0], list(ends)), "an output has no children"),
    "child that leads nowhere": (dangling, "Node 'z' .*, a child of Node 'x' .*leads to no output"),
    "module at two nodes": (repeated, "Identity 'twice' would stand in it twice"),
    "two of a name": (sameName, "there is a module named x already"),
    "no inputs": (lambda: ([], nodes("x")), "inputs must be a node or a list of nodes, got"),
    "no outputs": (lambda: (nodes("x"), []), "outputs must be a node or a list of nodes, got"),
    "module as output": (lambda: (nodes("x"), Identity()), "outputs must be a node or a list"),
    "an input twice": (lambda: ([(ends := row())[0], ends[0]], ends[1]), "inputs must be differ"),
    "name with a slash": (lambda: ((x := nodes("a/b")), x), "or have a slash"),
}


@pytest.mark.parametrize("build, message", refused.values(), ids=refused)
def test_what_is_no_graph_is_refused(build, message):
    inputs, outputs = build()

    with pytest.raises(ContainerError, match=message):
        Graph(inputs, outputs, name="net")


def inPlace(name="over", **kwargs):
    return Activation("relu", inplace=True, name=name, **kwargs)


def beside(second):
    """What one of two takers of x does in place, the other one may read."""
    x = linear("x").node()
    return x, Add("sum").node(linear("b").node(inPlace().node(x)), second().node(x))


def addsInPlace():
    x = linear("x").node()
    a = inPlace().node(linear("a").node(x))
    return x, Add("sum").node(a, linear("b").node(x))


def needed():
    x = act("sigmoid", "needed").node()
    return x, linear("b").node(inPlace().node(x))


spoiled = {
    "sibling": (lambda: beside(lambda: linear("c")), "the output of Linear 'x', which goes to oth"),
    "sibling in a net": (lambda: beside(lambda: Sequential("s").append(inPlace("inner"))),
                         "would overwrite the output of Linear 'x'"),
    "gradient of a sum": (addsInPlace, "the gradient of Add 'sum', which goes to others too"),
    "needed by its gradient": (needed, "the output of Activation 'needed', which its gradient nee"),
}


@pytest.mark.parametrize("build, message", spoiled.values(), ids=spoiled)
def test_what_others_read_is_not_overwritten_unless_unsafe(build, message):
    with pytest.raises(ContainerError, match=message):
        Graph(*build())

    assert len(Graph(*build(), unsafe=True).nodes) == len(Graph(*build(), unsafe=True).modules)


def test_takes_modules_in_place_where_they_spoil_nothing(rng):
    results = []
    for inplace in (True, False):
        np.random.seed(0)
        x = linear("x").node()
        h = Activation("relu", inplace=inplace, name="h").node(x)
        ways = [linear(f"w{i}").node(h) for i in range(2)]
        net = Graph(x, Activation("relu", inplace=inplace, name="last").node(Add("s").node(*ways)))
        data, g = onDevice(*np.random.default_rng(0).standard_normal((2, 7, 5)))
        out = net(data).get()
        net.zeroGradParams()
        net.backward(g)
        results.append([out, net.grad.get(), *(var.grad.get() for var in net.getVarTable())])

    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))


@pytest.mark.parametrize("data, message", [
    (np.ones((7, 3)), "data must be a list of 2 arrays, for a, b, got an array"),
    ([np.ones((7, 3))] * 3, "got 3 of them"),
    ([np.ones((7, 4))] * 2, r"module a: Linear 'a': data must have shape \(batch, 3\)"),
])
def test_refuses_data_that_do_not_fit(data, message):
    net = joins()
    data = onDevice(*data) if isinstance(data, list) else onDevice(data)[0]
    with pytest.raises(ContainerError, match=f"Graph 'net': .*{message}"):
        net(data)
    with pytest.raises(ContainerError, match="Graph 'net': backward needs a call with data first"):
        net.backward(data)


def test_refuses_gradients_that_do_not_fit():
    net = joins(outputs=2)
    net(onDevice(np.ones((7, 3)), np.ones((7, 4))))

    with pytest.raises(ContainerError, match="grad must be a list of 2 arrays, for sum, relu, got"):
        net.backward(onDevice(np.ones((7, 5)))[0])
    with pytest.raises(ContainerError, match="module sum: Add 'sum': grad must have the shape of"):
        net.backward(onDevice(np.ones((7, 4)), np.ones((7, 5))))


@pytest.mark.parametrize("slots, message", [
    (2, "gives a list of 2 arrays, got slot 2"), ([0, 5], "got slot")])
def test_a_slot_that_is_not_there_is_told(slots, message):
    x = Halves(name="x").node()
    net = Graph(x, Identity("y").node((x, slots)), name="net")
    with pytest.raises(ModuleError, match=f"'net': module y: Node 'y' .*Node 'x' .*{message}"):
        net(onDevice(np.ones((3, 4)))[0])


def test_a_list_beside_other_parents_needs_slots():
    x, y = Halves(name="x").node(), Identity("y").node()
    net = Graph([x, y], Add("z").node(x, y))
    with pytest.raises(ModuleError, match="gives a list: name which of it beside other parents"):
        net(onDevice(np.ones((3, 4)), np.ones((3, 2))))


def test_blueprint_has_nodes_and_edges():
    net = joins(outputs=2)
    blueprint = json.loads(json.dumps(net.getBlueprint()))

    assert blueprint["classname"] == "Graph" and blueprint["scheme"]["name"] == "net"
    assert blueprint["inputs"] == ["a", "b"] and blueprint["outputs"] == ["sum", "relu"]
    assert blueprint["graph"]["sum"] == [["tanh", None], ["b", None]]
    assert blueprint["graph"]["a"] == [] and blueprint["modules"]["a"]["classname"] == "Linear"
    with pytest.raises(ContainerError, match="its modules are another container's"):
        Graph(net.inputs, net.outputs, nodesOnly=True).getBlueprint()


def test_repr_tells_what_each_node_takes():
    x = Halves(name="x").node()
    inner = Sequential("inner").append(Identity("pass")).node((x, 1))
    lines = repr(Graph(x, Add("sum").node(inner, (x, [0])), name="net")).splitlines()

    assert lines[0] == "Graph 'net'" and lines[1].startswith("  x: Halves 'x'")
    assert lines[2:4] == ["  inner: Sequential 'inner' <- x[1]", "    Identity 'pass' ()"]
    assert lines[4] == "  sum: Add 'sum' () <- inner, x[[0]]"


def test_modes_and_reset_reach_the_modules(rng):
    net = diamond()
    net(onDevice(np.ones((2, 5)))[0])

    net.evalMode()

    assert not any(mod.train for mod in net.modules.values())
    assert all(mod.data is mod.inData is None for mod in [net, *net.modules.values()])


def test_weights_go_into_a_file_and_come_back(rng):
    net, fresh = diamond(), diamond()

    fresh.load(net.save())

    x, = onDevice(rng.standard_normal((7, 5)))
    assert np.array_equal(net(x).get(), fresh(x).get())


def test_a_thousand_nodes_in_a_row():
    node = first = Identity().node()
    for _ in range(1500):
        node = Identity().node(node)
    net, data = Graph(first, node), onDevice([[1, 2]])[0]

    assert net(data) is data and len(net.nodes) == 1501


def randomGraph(seed, size=12):
    """Nodes that take one or several of those before them, at random."""
    rng, nodes = np.random.default_rng(seed), [linear("in0").node(), linear("in1").node()]
    makers = [linear, lambda name: act("relu", name), lambda name: act(name=name), Add, Add]
    for number in range(size):
        module = makers[rng.integers(len(makers))](f"n{number}")
        most = rng.integers(2, 4) if isinstance(module, Add) else 1
        parents = [nodes[rng.integers(max(len(nodes) - 5, 0), len(nodes))] for _ in range(most)]
        nodes.append(module.node(*parents))
    ends = [node for node in nodes if not node.fwds]
    return Graph(nodes[:2], act(name="out").node(Add("end").node(*ends, *ends)), name="net")


@pytest.mark.parametrize("seed", range(20))
def test_gradients_of_graphs_at_random(seed, rng):
    net = Sequential().append(linear("first")).append(Replicate(2)).append(randomGraph(seed))

    checkGradients(net, rng.standard_normal((7, 5)), rng)
