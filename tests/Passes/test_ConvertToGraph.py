import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Graph, Parallel, Sequential
from minidl.Models.Nets import loadResNet
from minidl.Modules import Activation, Add, BatchNorm, Dropout, Identity, Linear, Replicate
from minidl.Passes import toGraph
from tests.Containers.test_Graph import Halves
from tests.Gradients import checkGradients


def behind(*mods, name=None):
    return Sequential(name).extend(mods)


def linear(name=None):
    return Linear(5, 5, name=name)


def norm(name=None):
    return BatchNorm(5, name=name)


def fork(*ways, name=None):
    return behind(Replicate(len(ways)), Parallel().extend(ways), Add(), name=name)


def diamond(name="inner"):
    x = linear("x").node()
    a, b, c = (Activation(word, name=word).node(x) for word in ("tanh", "relu", "sigmoid"))
    return Graph(x, Add("sum").node(c, linear("w").node(a), b), name=name)


def late():
    """A graph whose first node counts the gradient of the sum, made first, before the others."""
    x, total = linear("x").node(), Add("sum").node()
    total.addBackwards(x)
    total.addBackwards([linear("a").node(x), linear("b").node(x)])
    return Graph(x, total, name="late")


def copies():
    """A graph with a node that gives three times the same, and a sum of some of it, twice."""
    ways = behind(Replicate(3), Parallel().extend([Identity(), linear(), Identity()])).node(
        x := linear("x").node())
    one, two = (Add(f"sum{i}").node((ways, slots)) for i, slots in enumerate(([0, 2, 1], [2, 0])))
    return Graph(x, Add("sum").node((ways, 1), one, two, (ways, 0)), name="copies")


nets = {
    "copies": copies, "copies in a row": lambda: behind(linear(), copies(), linear()),
    "late": late, "late in a row": lambda: behind(linear(), late()),
    "row": lambda: behind(linear(), Activation("relu"), linear(), name="net"),
    "rows in rows": lambda: behind(behind(linear(), behind(norm())), Activation("relu")),
    "with identities": lambda: behind(Identity(), linear(), Identity(), Identity()),
    "shortcut": lambda: behind(linear(), fork(behind(linear(), norm()), Identity()),
                               Activation("relu")),
    "shortcut from the input": lambda: fork(behind(linear(), norm()), Identity()),
    "shortcut first": lambda: behind(linear(), fork(Identity(), linear(), behind(
        linear(), Activation("tanh")))),
    "forks in forks": lambda: behind(linear(), fork(Identity(), fork(linear(), Identity()), fork(
        Identity(), linear(), Identity()))),
    "two norms": lambda: behind(linear(), fork(norm(), behind(linear(), norm())), Activation(
        "leakyRelu")),
    "dropout": lambda: behind(linear(), Dropout(0.4), linear(), Dropout(0.2)),
    "graph": diamond,
    "graph in a row": lambda: behind(linear(), diamond(), Activation("relu"), diamond("second")),
    "graph in a fork": lambda: fork(linear(), diamond(), Identity()),
    "slots": lambda: behind(Linear(5, 6), Halves(), Parallel().extend(
        [Linear(3, 5), Linear(3, 5)]), Add()),
    "one module": linear,
    "nothing": lambda: behind(),
}
several = {
    "outputs": lambda: behind(linear(), Replicate(2), Parallel().extend([linear(), Identity()])),
    "equal outputs": lambda: behind(linear(), Replicate(3)),
    "copies of the input": lambda: Replicate(2),
    "inputs": lambda: Parallel().extend([linear(), behind(linear(), Activation("tanh"))]),
    "inputs that are added": lambda: behind(Identity(), Parallel().extend(
        [norm(), Identity()]), Add(), Activation("relu")),
    "a list": lambda: Add(),
    "halves": lambda: behind(linear(), Halves()),
}


def step(net, data, train):
    """All that a step leaves behind."""
    net.trainMode() if train else net.evalMode()
    net.zeroGradParams()
    gpuarray.globalRng.seed(0)
    out = net(data)
    rng = np.random.default_rng(1)
    grads = [gpuarray.to_gpu(rng.standard_normal(each.shape).astype(np.float32))
             for each in (out if isinstance(out, list) else [out])]
    net.backward(grads if isinstance(out, list) else grads[0], momentum=1.0)
    found = [each.get() for value in (net.data, net.grad)
             for each in (value if isinstance(value, list) else [value])]
    return found + [var.grad.get() for var in net.getVarTable()]


def compare(build, data, train):
    net, other = build(), build()
    if net.getVarTable():
        other.load(net.save(name="net"), name="net")
    graph = toGraph(other)

    for one, two in zip(step(net, data, train), step(graph, data, train), strict=True):
        assert np.array_equal(one, two)
    return graph


@pytest.mark.parametrize("build", nets.values(), ids=nets)
@pytest.mark.parametrize("train", [True, False])
def test_the_graph_computes_the_same_bits(build, train, rng):
    data = gpuarray.to_gpu(rng.standard_normal((7, 5)).astype(np.float32))

    graph = compare(build, data, train)

    assert isinstance(graph, Graph)
    assert not any(mod.isContainer or isinstance(mod, Replicate) for mod in graph.modules.values())


def test_names_are_paths_or_those_of_the_modules():
    way = behind(linear("a"), behind(norm("b"), name="deep"), name="way")
    net = behind(linear("first"), fork(way, Identity("same"), name="block"), name="net")

    graph = toGraph(net)

    assert graph.name == "net" and list(graph.nodes) == [
        "first", "block_1_way_a", "block_1_way_deep_b", "block_2"]
    assert graph.getVar("block_1_way_a.W") is way["a"].getVar("W") and way["a"].name == "a"
    assert graph.getNodeByName("block_2").bwds == [
        (graph.getNodeByName("block_1_way_deep_b"), None), (graph.getNodeByName("first"), None)]
    assert list(toGraph(net, assumeUniqueNames=True).nodes) == ["first", "a", "b", "2"]


def test_equal_names_are_refused():
    net = behind(behind(linear("a")), behind(linear("a")))

    with pytest.raises(ContainerError, match="there is a module named a already"):
        toGraph(net, assumeUniqueNames=True)


def test_arguments_of_the_graph():
    net = behind(linear("a"), Activation("relu", name="b"))

    assert toGraph(net, nodesOnly=True).modules == {} and list(toGraph(net).modules) == ["a", "b"]
    assert toGraph(net, unsafe=True).blueprint["scheme"]["unsafe"] is True


def test_a_shared_variable_stays_shared(rng):
    one, two = linear("one"), Linear(5, 5, empty=True, name="two", useBias=False)
    two.setVar("W", one.getVar("W"))

    graph = toGraph(fork(behind(one, Activation("tanh")), two))

    assert len(graph.getVarTable()) == 2
    checkGradients(graph, rng.standard_normal((7, 5)), rng)


@pytest.mark.parametrize("layers", ["18", "50"])
def test_a_residual_network(layers, rng):
    net = loadResNet(None, layers, initscheme="he", imageSize=32, actInplace=True)
    graph = toGraph(net, assumeUniqueNames=True)
    x = gpuarray.to_gpu(rng.standard_normal((2, 3, 32, 32)).astype(np.float32))
    graph.evalMode()
    expected = net(x).get()

    assert np.array_equal(graph(x).get(), expected)
    assert graph.numOfParams() == net.numOfParams() and len(graph.fused) > 15


@pytest.mark.parametrize("build", several.values(), ids=several)
@pytest.mark.parametrize("train", [True, False])
def test_lists_of_inputs_and_outputs_stay_lists(build, train, rng):
    arrays = [gpuarray.to_gpu(each) for each in rng.standard_normal((2, 7, 5)).astype(np.float32)]
    isList = build in (several["inputs"], several["inputs that are added"], several["a list"])

    compare(build, arrays if isList else arrays[0], train)
