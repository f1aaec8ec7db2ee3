"""Modules in place in nets of every kind; those of a Sequential alone and a Graph: their tests."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Graph, Parallel, Sequential
from minidl.Modules import Activation, Add, Dropout, Flatten, Identity, Linear, Replicate


def over():
    return Activation("relu", inplace=True, name="over")


def needed():
    return Activation("sigmoid", name="needed")


def linear(name=None):
    return Linear(5, 5, name=name)


def fork(*ways, times=2):
    return Sequential().append(Replicate(times, name="copies")).append(Parallel().extend(ways))


def behind(*mods):
    return Sequential().extend(mods)


spoiled = {
    "a branch": lambda: fork(over(), linear()),
    "the last branch": lambda: fork(linear(), over()),
    "a branch behind what passes": lambda: fork(behind(Identity(), over()), linear()),
    "a branch of several": lambda: fork(linear("a"), linear("b"), over(), times=3),
    "what comes to a fork": lambda: behind(needed(), Replicate(1), Parallel().append(over())),
    "a branch before the fork": lambda: fork(linear(), Identity()).append(
        Parallel().append(linear()).append(over())),
    "the gradient of a sum": lambda: fork(behind(linear(), over()), Identity()).append(Add()),
    "the gradient of a sum behind what passes": lambda: fork(
        behind(linear(), over(), Flatten(), Dropout()), linear()).append(Add()),
    "the gradient of a sum in a graph": lambda: behind(
        Replicate(2), Parallel().append(behind(linear(), over())).append(Identity()), Graph(
            (node := Add().node()), node)),
    "an output in a graph": lambda: behind(needed(), Graph((node := over().node()), node)),
    "an output of a graph": lambda: behind(Graph((node := needed().node()), node), over()),
}


@pytest.mark.parametrize("build", spoiled.values(), ids=spoiled)
def test_what_others_read_is_not_overwritten(build):
    with pytest.raises(ContainerError, match="Activation 'over' would overwrite the (output|grad)"):
        build()


allowed = {
    "behind a branch's linear": lambda: fork(behind(linear(), over()), linear()),
    "behind a sum": lambda: fork(linear(), Identity()).append(Add()).append(over()),
    "behind a fork of one": lambda: fork(over(), times=1),
    "before a fork": lambda: behind(linear(), over(), Replicate(2)),
    "before a sum of gradients": lambda: behind(linear("first"), Graph(
        (node := over().node()), Add("sum").node(node, linear("b").node(node)))),
    "in a branch with a linear behind": lambda: fork(
        behind(linear("a"), over(), linear("b")), linear()).append(Add()),
}


@pytest.mark.parametrize("build", allowed.values(), ids=allowed)
def test_what_nobody_reads_may_be_overwritten(build):
    assert len(build()) > 1


def test_what_is_refused_would_give_wrong_numbers(monkeypatch, rng):
    from minidl import Config

    monkeypatch.setattr(Config, "disableModuleCompatChecks", True)
    x, g = rng.standard_normal((2, 7, 5)).astype(np.float32)
    results = []
    for inplace in (False, True):
        way = behind(linear("lin"), Activation("relu", inplace=inplace, name="over"))
        way["lin"].W.set(np.eye(5, dtype=np.float32))
        net = fork(way, Identity()).append(Add())
        net(gpuarray.to_gpu(x))
        net.backward(gpuarray.to_gpu(g))
        results.append(net.grad.get())

    np.testing.assert_allclose(results[0], g * (x > 0) + g, 1e-6)
    assert np.abs(results[0] - results[1]).max() > 0.1


def test_a_parallel_that_does_not_fit_what_comes_to_it_is_refused():
    net = Sequential().append(Parallel().append(linear()).append(Identity()))

    with pytest.raises(ContainerError, match="must be a list of 1 arrays, .* got 2 of them"):
        net.append(Parallel("one").append(linear()))
