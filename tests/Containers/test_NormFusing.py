"""Batch normalization and what its kernels do behind it: as if each module computed alone."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Parallel, Sequential
from minidl.Modules import (
    Activation,
    Add,
    BatchNormAxes,
    BatchNormND,
    Identity,
    Linear,
    Replicate,
)
from tests.Gradients import checkGradients

shapes = pytest.mark.parametrize("shape", [
    (7, 5), (67, 70), (4, 3, 5), (3, 5, 7, 2), (2, 3, 1, 2, 3), (5, 1, 11), (130, 3)])
ramps = {
    "relu": {}, "leakyRelu": {"args": (0.3,)}, "clip": {"args": (-0.5, 0.75)}, "tanh": {}}
activations = pytest.mark.parametrize("name", ramps)
inplaces = pytest.mark.parametrize("inplace", [False, True])
modes = pytest.mark.parametrize("train", [True, False])


def norm(shape, rng, **options):
    module = BatchNormND(len(shape) - 2, shape[1], **options)
    for array in (module.scale, module.bias, module.mean):
        array.set(rng.standard_normal(array.shape).astype(np.float32))
    module.var.set(rng.uniform(0.5, 2, module.var.shape).astype(np.float32))
    return module


def activation(name, inplace=False):
    return Activation(name, inplace=inplace, **ramps[name])


def residual(shape, rng, name=None, branches=1):
    """The block x -> f(norm(x) + x), or with a norm in each branch."""
    ways = Parallel().append(Sequential().append(Identity()).append(norm(shape, rng)))
    ways.append(norm(shape, rng) if branches == 2 else Identity())
    net = Sequential().append(Replicate(2)).append(ways).append(Add())
    return net if name is None else net.append(activation(name))


def everyModule(net):
    return [mod for _, mod in net.namedModules("net") if not mod.isContainer]


class Alone:
    """A net whose containers call their modules one by one."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch

    def __enter__(self):
        for kind in (BatchNormND, Linear, Parallel, Sequential):
            self.monkeypatch.setattr(kind, "fusable", lambda self, followers: 0)

    def __exit__(self, *_):
        self.monkeypatch.undo()


def run(net, x, g, dtype=np.float32):
    """All that a step leaves behind, by name."""
    for var in net.getVarTable():
        var.grad.fill(0)
    y = net(gpuarray.to_gpu(x.astype(dtype))).get()
    net.backward(gpuarray.to_gpu(g.astype(dtype)))
    found = {"out": y, "grad": net.grad.get()}
    for var, names in net.getVarTable(name="net").items():
        found[names[0]] = var.grad.get()
    for path, mod in net.namedModules("net"):
        found.update((f"{path}.{name}", gpuarray.toHost(value))
                     for name, value in mod.attrs.items())
    return found


def compare(net, shape, rng, monkeypatch, dtype=np.float32):
    net.calcMode(dtype)
    x, g = rng.standard_normal((2, *shape))
    state = {id(value): value.copy() for mod in everyModule(net) for value in mod.attrs.values()}
    fused = run(net, x, g, dtype)
    for mod in everyModule(net):
        for value in mod.attrs.values():
            value[...] = state[id(value)]
    with Alone(monkeypatch):
        single = run(net, x, g, dtype)

    assert fused.keys() == single.keys()
    tolerance = 2e-6 if dtype == np.float32 else 1e-14
    for name, value in single.items():
        size = max(np.abs(value).max(), 1)
        np.testing.assert_allclose(fused[name], value, 0, tolerance * size, err_msg=name)


@shapes
@activations
@inplaces
@modes
def test_norm_and_activation(shape, name, inplace, train, rng, monkeypatch):
    net = Sequential().append(norm(shape, rng)).append(activation(name, inplace))
    net.trainMode() if train else net.evalMode()

    compare(net, shape, rng, monkeypatch)


@shapes
@modes
@pytest.mark.parametrize("name", [None, *ramps])
@pytest.mark.parametrize("branches", [1, 2])
def test_norm_and_sum_and_activation(shape, train, name, branches, rng, monkeypatch):
    net = residual(shape, rng, name, branches)
    net.trainMode() if train else net.evalMode()

    compare(net, shape, rng, monkeypatch)


@pytest.mark.parametrize("name", ["relu", "leakyRelu", "clip"])
def test_in_double(name, rng, monkeypatch):
    compare(Sequential().append(norm((5, 3, 7), rng)).append(activation(name)), (5, 3, 7), rng,
            monkeypatch, np.float64)
    compare(residual((5, 3, 7), rng, name), (5, 3, 7), rng, monkeypatch, np.float64)


@pytest.mark.parametrize("options", [
    dict(trackRunningStats=False), dict(useGlobalStats=True), dict(fixScale=True),
    dict(runningStat="invstd"), dict(affine=False), dict(useAverages=True, updateAverages=True)],
    ids=repr)
@modes
def test_norms_of_every_kind(options, train, rng, monkeypatch):
    shape = (4, 3, 5)
    for build in (lambda mod: Sequential().append(mod).append(activation("relu")),
                  lambda mod: Sequential().append(Replicate(2)).append(
                      Parallel().append(mod).append(Identity())).append(Add()).append(
                      activation("relu"))):
        net = build(BatchNormND(1, 3, sscale=0.5, **options))
        net.trainMode() if train else net.evalMode()
        compare(net, shape, rng, monkeypatch)


def test_axes_that_are_apart(rng, monkeypatch):
    shape = (2, 3, 4, 5)
    net = Sequential().append(BatchNormAxes((None, 3, None, 5), (0, 2), sscale=0.5))
    compare(net.append(activation("relu")), shape, rng, monkeypatch)


@shapes
@pytest.mark.parametrize("name", ["relu", "leakyRelu", "clip"])
def test_gradients(shape, name, rng):
    checkGradients(Sequential().append(norm(shape, rng)).append(activation(name)),
                   rng.standard_normal(shape), rng)
    checkGradients(residual(shape, rng, name), rng.standard_normal(shape), rng)


def test_one_kernel_forward_and_one_back(rng, monkeypatch):
    from minidl.Backend.KernelFile import Kernel

    launched, call = [], Kernel.__call__
    monkeypatch.setattr(Kernel, "__call__", lambda self, blocks, *values: (
        launched.append(self.name), call(self, blocks, *values)))
    x, g = map(gpuarray.to_gpu, rng.standard_normal((2, 4, 3, 5)).astype(np.float32))

    for net in (Sequential().append(norm(x.shape, rng)).append(activation("relu")),
                residual(x.shape, rng, "relu")):
        launched.clear()
        net(x)
        assert launched == ["trainMaps"]
        launched.clear()
        net.backward(g, updParamGrads=False)
        # Where x has been copied, the gradients of both copies are added.
        assert launched == ["backwardMaps"] + ["addScaled"] * (len(net) - 2 > 0)


@pytest.mark.parametrize("train", [True, False])
def test_what_modules_have_alone_is_there_when_asked_for(train, rng):
    shape = (4, 3, 5)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    net = residual(shape, rng, "relu")
    net.trainMode() if train else net.evalMode()
    bn, add, relu = net[1][0][1], net[2], net[3]

    y = net(gpuarray.to_gpu(x)).get()
    net.backward(gpuarray.to_gpu(g))

    normalized = y - x
    positive = y > 0
    np.testing.assert_allclose(bn.data.get()[positive], normalized[positive], 1e-5, 1e-5)
    np.testing.assert_allclose(add.data.get(), bn.data.get() + x, 1e-5, 1e-5)
    np.testing.assert_allclose(np.maximum(add.data.get(), 0), y, 1e-5, 1e-5)
    assert np.array_equal(relu.inData.get(), add.data.get())
    assert np.array_equal(add.inData[0].get(), bn.data.get())
    assert np.array_equal(net[1].data[0].get(), bn.data.get())
    assert np.array_equal(relu.grad.get(), np.where(positive, g, 0))
    assert all(np.array_equal(each.get(), np.where(positive, g, 0)) for each in add.grad)


def test_backward_of_the_modules_one_by_one_follows_a_fused_call(rng):
    shape = (4, 3, 5)
    x, g = map(gpuarray.to_gpu, rng.standard_normal((2, *shape)).astype(np.float32))
    net = Sequential().append(norm(shape, rng)).append(activation("relu"))
    net(x)
    net.backward(g)
    expected, fromRelu = net.grad.get(), net[1].grad.get()

    net(x)
    net[1].backward(g)
    net[0].backward(net[1].grad)

    assert np.array_equal(net[1].grad.get(), fromRelu)
    np.testing.assert_allclose(net[0].grad.get(), expected, 1e-5, 1e-6)


def test_a_module_of_ones_own_computes_itself(rng, monkeypatch):
    class Doubled(BatchNormND):
        def updateData(self, data):
            super().updateData(data)
            self.data *= 2

    class Shifted(Activation):
        def updateData(self, data):
            super().updateData(data)
            self.data += 1

    x = gpuarray.to_gpu(rng.standard_normal((7, 5, 3)).astype(np.float32))
    for first, second in [(Doubled, Activation), (BatchNormND, Shifted), (Doubled, Shifted)]:
        net = Sequential().append(first(1, 5)).append(second("relu"))
        y = net(x).get()
        with Alone(monkeypatch):
            assert np.array_equal(net(x).get(), y)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@modes
@pytest.mark.parametrize("name", ["relu", "leakyRelu", "clip"])
def test_nan_and_infinity_pass_as_they_do_alone(special, train, name, rng, monkeypatch):
    shape = (4, 3, 5)
    net = Sequential().append(norm(shape, rng)).append(activation(name))
    net.trainMode() if train else net.evalMode()
    x = rng.standard_normal(shape).astype(np.float32)
    x[1, 1, 2] = special

    y = net(gpuarray.to_gpu(x)).get()

    with Alone(monkeypatch):
        np.testing.assert_array_equal(np.isnan(net(gpuarray.to_gpu(x)).get()), np.isnan(y))
