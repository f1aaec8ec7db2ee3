import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNorm, Conv2D, Linear, ModuleError, SoftMax
from minidl.Passes import batchNorm
from tests.Gradients import checkGradients


def named(net):
    return [(type(mod).__name__, mod.name) for mod in net]


def test_a_linear_gets_a_norm_behind_it_and_loses_its_bias(rng):
    linear = Linear(5, 3, name="dense")

    net = batchNorm(linear, epsilon=1e-4, sscale=0)

    assert named(net) == [("Linear", "dense"), ("BatchNorm", "dense_bn")]
    assert net[0] is linear and linear.b is None and list(linear.vars) == ["W"]
    assert net[1].epsilon == 1e-4 and net[1].maps == 3
    x = rng.standard_normal((7, 5))
    product = x @ linear.W.get()
    expected = (product - product.mean(0)) / np.sqrt(product.var(0) + 1e-4)
    y = net(gpuarray.to_gpu(x.astype(np.float32))).get()
    np.testing.assert_allclose(y, expected, 1e-4, 1e-5)


def test_the_nonlinearity_comes_behind_the_norm(rng):
    net = Sequential("net").append(Linear(4, 5, name="first"))
    net.append(Linear(5, 3, name="dense")).append(Activation("tanh", name="act"))

    assert batchNorm(net, sscale=0) is net

    assert named(net) == [("Linear", "first"), ("Linear", "dense"), ("BatchNorm", "dense_bn"),
                          ("Activation", "dense_bn_nonlin")]
    assert sorted(names[0] for names in net.getVarTable().values()) == [
        "net.dense.W", "net.dense_bn.bias", "net.dense_bn.scale", "net.first.W", "net.first.b"]
    x = rng.standard_normal((7, 4))
    product = x @ net["first"].W.get() @ net["dense"].W.get()
    expected = np.tanh((product - product.mean(0)) / np.sqrt(product.var(0) + 1e-5))
    y = net(gpuarray.to_gpu(x.astype(np.float32))).get()
    np.testing.assert_allclose(y, expected, 1e-4, 1e-4)
    checkGradients(net[1:], rng.standard_normal((7, 5)), rng)


def test_a_convolution_gets_a_norm_of_its_maps(rng):
    net = Sequential().append(Conv2D(3, 5, 3, name="conv")).append(Activation("relu"))

    batchNorm(net, sscale=0)

    assert named(net)[:2] == [("Conv2D", "conv"), ("BatchNormND", "conv_bn")]
    assert net["conv"].b is None and net["conv_bn"].maps == 5
    y = net(gpuarray.to_gpu(rng.standard_normal((4, 3, 7, 6)).astype(np.float32))).get()
    alone = net["conv"].data.get().astype(np.float64)
    axes = dict(axis=(0, 2, 3), keepdims=True)
    expected = (alone - alone.mean(**axes)) / np.sqrt(alone.var(**axes) + 1e-5)
    np.testing.assert_allclose(y, np.maximum(expected, 0), 1e-5, 1e-5)


def test_a_name_of_ones_own():
    net = batchNorm(Sequential().append(Linear(5, 3)).append(Activation("relu")), name="norm")

    assert named(net)[1:] == [("BatchNorm", "norm"), ("Activation", "norm_nonlin")]


def test_blueprint_knows_that_there_is_no_bias():
    linear = Linear(5, 3)
    batchNorm(linear)

    assert linear.getBlueprint()["scheme"]["useBias"] is False


@pytest.mark.parametrize("make", [
    Sequential, lambda: Activation("relu"), lambda: Sequential().append(SoftMax()),
    lambda: Sequential().append(Linear(2, 2)).append(BatchNorm(2)).append(Activation("relu")),
    lambda: Sequential().append(Activation("relu"))])
def test_refuses_what_multiplies_by_no_weights(make):
    with pytest.raises(ModuleError, match="batchNorm: takes a module that multiplies by weights"):
        batchNorm(make())


def test_a_name_that_is_taken_leaves_all_as_it_was():
    net = Sequential("net").append(Activation("relu", name="dense_bn"))
    net.append(Linear(5, 3, name="dense"))

    with pytest.raises(ModuleError, match="has a module named dense_bn already: give another name"):
        batchNorm(net)

    assert len(net) == 2 and net["dense"].b is not None
