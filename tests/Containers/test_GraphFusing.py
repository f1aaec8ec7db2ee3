"""What a Graph has modules do in one kernel, and that it is what a Sequential does, bit for bit."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.KernelFile import Kernel
from minidl.Containers import Graph, Parallel, Sequential
from minidl.Modules import Activation, Add, BatchNorm, Identity, Linear, Replicate
from tests.Gradients import checkGradients


def modules():
    np.random.seed(0)
    return {"first": Linear(5, 5, name="first"), "relu": Activation("relu", name="relu"),
            "way": Linear(5, 5, useBias=False, name="way"), "norm": BatchNorm(5, name="norm"),
            "sum": Add("sum"), "last": Activation("leakyRelu", name="last")}


def residual(branch):
    """last(norm(relu(x V) W) + relu(x V)), with the normalization in this branch of the sum"""
    made = modules()
    h = made["relu"].node(made["first"].node())
    norm = made["norm"].node(made["way"].node(h))
    parents = [norm, h] if branch == 0 else [h, norm]
    return Graph(h.bwds[0][0], made["last"].node(made["sum"].node(*parents)))


def sequential(branch):
    made = modules()
    ways = [Sequential("ways").append(made["way"]).append(made["norm"]), Identity("same")]
    net = Sequential().append(made["first"]).append(made["relu"]).append(Replicate(2))
    net.append(Parallel().extend(ways if branch == 0 else ways[::-1]))
    return net.append(made["sum"]).append(made["last"])


def step(net, rng, train=True):
    net.trainMode() if train else net.evalMode()
    net.zeroGradParams()
    x, g = map(gpuarray.to_gpu, rng.standard_normal((2, 7, 5)).astype(np.float32))
    out = net(x).get()
    net.backward(g)
    return [out, net.grad.get(), *(var.grad.get() for var in net.getVarTable())]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("branch", [0, 1])
def test_a_graph_gives_the_bits_of_a_sequential(train, branch):
    graph, net = residual(branch), sequential(branch)

    found = step(graph, np.random.default_rng(0), train)
    expected = step(net, np.random.default_rng(0), train)

    assert [len(followers) for followers in graph.fused.values()] == [1, 2]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def test_the_same_modules_one_by_one_give_nearly_the_same(monkeypatch):
    found = step(residual(0), np.random.default_rng(0))
    for kind in (Linear, BatchNorm):
        monkeypatch.setattr(kind, "fusable", lambda self, followers: 0)
        monkeypatch.setattr(kind, "canAdd", lambda self: False)
    alone = residual(0)

    for one, other in zip(found, step(alone, np.random.default_rng(0)), strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-5)
    assert alone.fused == {}


def test_one_kernel_for_a_normalization_a_sum_and_a_relu(monkeypatch, rng):
    launched, call = [], Kernel.__call__
    monkeypatch.setattr(Kernel, "__call__", lambda self, blocks, *values: (
        launched.append(self.name), call(self, blocks, *values)))
    x, shortcut = BatchNorm(5, name="norm").node(), Identity("same").node()
    net = Graph([x, shortcut], Activation("relu").node(Add("sum").node(x, shortcut)))
    data, other, g = map(gpuarray.to_gpu, rng.standard_normal((3, 7, 5)).astype(np.float32))

    net([data, other])
    assert launched == ["trainFeatures"]
    launched.clear()
    net.backward(g, updParamGrads=False)
    assert launched == ["backwardFeatures"]


@pytest.mark.parametrize("name", ["norm", "sum", "last"])
def test_what_a_module_has_alone_is_there_when_asked_for(name):
    net = residual(0)
    step(net, np.random.default_rng(0))
    asked = net[name].data.get()

    h, normalized = net["relu"].data.get(), net["norm"].data.get()
    total = normalized + h
    expected = {"norm": normalized, "sum": total, "last": np.where(total > 0, total, 0.01 * total)}
    np.testing.assert_allclose(asked, expected[name], 1e-5, 1e-6)
    np.testing.assert_allclose(normalized.mean(0), net["norm"].bias.get().ravel(), atol=1e-5)


def test_what_others_take_as_well_is_not_fused(rng):
    x = Linear(5, 5, name="x").node()
    relu = Activation("relu", name="relu").node(x)
    net = Graph(x, Add("sum").node(relu, x))
    step(net, rng)
    assert net.fused == {}

    x = Linear(5, 5, name="x").node()
    net = Graph(x, [x, Activation("relu", name="relu").node(x)], nodesOnly=True)
    net(gpuarray.zeros((7, 5)))
    assert net.fused == {}


@pytest.mark.parametrize("slots, count", [(None, 1), ([0, 1], 0), ([0, 0], 0), ([1, 1], 0)])
def test_a_sum_of_some_slots_is_no_sum_of_all(slots, count, rng):
    ways = Parallel("ways").append(BatchNorm(5, name="norm")).append(Identity("same")).node(
        Replicate(2, name="copies").node())
    node = Add("sum").node((ways, slots) if slots else ways)
    net = Graph(ways.bwds[0][0], node)

    out, *_ = step(net, rng)

    normalized, same = (each.get() for each in net["ways"].data)
    parts = [normalized, same]
    expected = sum(parts[slot] for slot in slots or [0, 1])
    np.testing.assert_allclose(out, expected, 1e-5, 1e-6)
    assert len(net.fused) == count
    checkGradients(net, rng.standard_normal((7, 5)), rng)
