"""Variables that several modules share get the sum of their gradients, in every container."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Graph, Parallel, Sequential
from minidl.Modules import Activation, Add, BatchNorm, Linear, ModuleError, Replicate
from minidl.Optimizers import SGD
from tests.Gradients import checkGradients


def tied(insize=5, outsize=3, useBias=True):
    """A linear map, and the one back, whose weights are the same."""
    there = Linear(insize, outsize, name="there", useBias=useBias)
    back = Linear(outsize, insize, name="back", useBias=False, empty=True, transpose=True)
    back.setVar("W", there.getVar("W"))
    return there, back


def twins():
    """Two linear maps with all variables in common."""
    one, two = Linear(5, 5, name="one"), Linear(5, 5, name="two", empty=True)
    two.setVar("W", one.getVar("W"))
    two.setVar("b", one.getVar("b"))
    return one, two


def encoder():
    there, back = tied()
    return Sequential("net").append(there).append(Activation("tanh")).append(back)


def nested():
    there, back = tied()
    first = Sequential("first").append(there).append(Activation("tanh"))
    return Sequential("net").append(first).append(Sequential("second").append(back))


def parallel():
    one, two = twins()
    ways = Parallel("ways").append(Sequential("a").append(one).append(Activation("tanh")))
    return Sequential("net").append(Replicate(2)).append(ways.append(two)).append(Add())


def graph():
    one, two = twins()
    there, back = tied(useBias=False)
    x = one.node()
    ways = [back.node(Activation("tanh", name="t").node(there.node(x))), two.node(x)]
    return Graph(x, Add("sum").node(*ways), name="net")


def norms():
    one, two = BatchNorm(5, name="one", sscale=0.5), BatchNorm(5, name="two", empty=True)
    for name in ("scale", "bias"):
        two.setVar(name, one.getVar(name))
    two.setAttr("mean", gpuarray.zeros((1, 5, 1, 1)))
    two.setAttr("var", gpuarray.zeros((1, 5, 1, 1)))
    return Sequential("net").append(one).append(Activation("tanh")).append(two)


everyNet = pytest.mark.parametrize("build", [encoder, nested, parallel, graph, norms])


@everyNet
def test_gradients_are_the_derivative(build, rng):
    checkGradients(build(), rng.standard_normal((7, 5)), rng)


@everyNet
@pytest.mark.parametrize("momentum", [0.0, 0.5, 1.0, 2.0])
def test_momentum_counts_once(build, momentum, rng):
    net, (x, g) = build(), map(gpuarray.to_gpu, rng.standard_normal((2, 7, 5)).astype(np.float32))
    net(x)
    net.zeroGradParams()
    net.backward(g)
    once = [var.grad.get() for var in net.getVarTable()]

    for var in net.getVarTable():
        var.grad.fill(3 if momentum else np.nan)
    net.backward(g, momentum=momentum)

    for var, grad in zip(net.getVarTable(), once, strict=True):
        np.testing.assert_allclose(
            var.grad.get(), grad + 3 * momentum, 1e-4, 1e-4 * max(np.abs(grad).max(), 1))


@everyNet
def test_momentum_leaves_gradients_that_are_not_asked_for(build, rng):
    net, (x, g) = build(), map(gpuarray.to_gpu, rng.standard_normal((2, 7, 5)).astype(np.float32))
    for var in net.getVarTable():
        var.grad.fill(3)

    net(x)
    net.backward(g, updParamGrads=False, momentum=0.0)
    net.evalMode()
    net(x)
    net.backward(g, momentum=0.0)

    assert all((var.grad.get() == 3).all() for var in net.getVarTable())


@everyNet
@pytest.mark.parametrize("useGlobalState", [False, True])
def test_a_step_goes_up_the_gradient_and_keeps_what_is_shared(build, useGlobalState, rng):
    net, data = build(), rng.standard_normal((7, 5))
    net.calcMode(np.float64)
    optimizer = SGD(learnRate=1e-4)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    x, g = gpuarray.to_gpu(data), gpuarray.to_gpu(rng.standard_normal((7, 5)))
    before = (net(x).get() * g.get()).sum()

    optimizer.zeroGradParams()
    net.backward(g, updGrad=False)
    squares = sum((var.grad.get() ** 2).sum() for var in net.getVarTable())
    optimizer.update()

    gain = (net(x).get() * g.get()).sum() - before
    np.testing.assert_allclose(gain, 1e-4 * squares, rtol=0.05)
    assert any(len(names) > 1 for names in net.getVarTable().values())


@pytest.mark.parametrize("given, lacking", [("W", "bias: set it"), ("b", "weights: set them")])
def test_a_linear_map_without_all_of_its_variables_says_so(given, lacking):
    module = Linear(5, 5, name="two", empty=True)
    module.setVar(given, Linear(5, 5).getVar(given))

    with pytest.raises(ModuleError, match=f"Linear 'two': has no {lacking} with setVar, or make"):
        module(gpuarray.zeros((7, 5)))
