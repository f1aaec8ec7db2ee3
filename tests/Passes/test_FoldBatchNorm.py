import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Containers import Parallel, Sequential
from minidl.Modules import (
    Activation,
    BatchNorm,
    BatchNorm1D,
    BatchNorm2D,
    BatchNorm3D,
    BatchNormAxes,
    Conv1D,
    Conv2D,
    Conv3D,
    Deconv2D,
    Linear,
)
from minidl.Passes import foldBatchNorm


def linear(rng, insize, outsize, **arguments):
    module = Linear(insize, outsize, **arguments)
    if module.b is not None:
        module.b.set(rng.standard_normal(outsize).astype(np.float32))
    return module


def norm(rng, size, kind=BatchNorm, **options):
    module = kind(size, sscale=0.5, **options)
    module.bias.set(rng.standard_normal(module.bias.shape).astype(np.float32))
    module.mean.set(rng.standard_normal(module.mean.shape).astype(np.float32))
    module.var.set(rng.uniform(0.1, 3, module.var.shape).astype(np.float32))
    return module


def evaluated(net, x):
    net.evalMode()
    return net(gpuarray.to_gpu(x)).get()


@pytest.mark.parametrize("arguments", [{}, dict(useBias=False), dict(transpose=True)], ids=repr)
@pytest.mark.parametrize("options", [
    {}, dict(epsilon=0.1), dict(runningStat="invstd"), dict(fixScale=True),
    dict(useGlobalStats=True)], ids=repr)
def test_a_norm_becomes_part_of_the_linear_before_it(arguments, options, rng):
    net = Sequential().append(linear(rng, 7, 5, **arguments)).append(norm(rng, 5, **options))
    net.append(Activation("relu")).append(linear(rng, 5, 3, **arguments)).append(norm(rng, 3))
    x = rng.standard_normal((11, 7)).astype(np.float32)
    expected = evaluated(net, x)

    assert foldBatchNorm(net) is net

    assert [type(mod) for mod in net] == [Linear, Activation, Linear]
    assert not net.train and net[0].useBias and "b" in net[0].vars
    np.testing.assert_allclose(evaluated(net, x), expected, 1e-5, 1e-5)


@pytest.mark.parametrize("conv, kind, shape", [
    (lambda **kw: Conv1D(4, 6, 3, pad=1, groups=2, **kw), BatchNorm1D, (3, 4, 11)),
    (lambda **kw: Conv2D(3, 5, 3, stride=2, **kw), BatchNorm2D, (2, 3, 9, 7)),
    (lambda **kw: Conv2D(33, 40, 3, pad=1, **kw), BatchNorm2D, (2, 33, 8, 8)),
    (lambda **kw: Conv3D(2, 3, 2, **kw), BatchNorm3D, (2, 2, 4, 3, 5)),
    (lambda **kw: Deconv2D(4, 6, 3, stride=2, groups=2, **kw), BatchNorm2D, (2, 4, 5, 3)),
], ids=["Conv1D", "Conv2D", "many maps", "Conv3D", "Deconv2D"])
@pytest.mark.parametrize("useBias", [True, False])
def test_a_norm_becomes_part_of_the_convolution_before_it(
        conv, kind, shape, useBias, rng, monkeypatch):
    monkeypatch.setattr(Config, "exactConvolution", True)
    module = conv(useBias=useBias)
    if useBias:
        module.b.set(rng.standard_normal(module.b.shape).astype(np.float32))
    net = Sequential().append(module).append(norm(rng, module.outmaps, kind))
    x = rng.standard_normal(shape).astype(np.float32)
    expected = evaluated(net, x)

    foldBatchNorm(net)

    assert [type(mod) for mod in net] == [type(module)] and "b" in module.vars
    np.testing.assert_allclose(evaluated(net, x), expected, 1e-5, 1e-5)


def test_norms_inside_other_containers(rng):
    branch = lambda: Sequential().append(linear(rng, 4, 5)).append(norm(rng, 5))
    net = Parallel().append(branch()).append(Sequential().append(branch()))
    net.evalMode()
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    expected = [y.get() for y in net(list(map(gpuarray.to_gpu, x)))]

    foldBatchNorm(net)

    assert net.getAllByType(BatchNorm) == []
    for y, before in zip(net(list(map(gpuarray.to_gpu, x))), expected, strict=True):
        np.testing.assert_allclose(y.get(), before, 1e-5, 1e-5)


def shared(rng):
    first, second = linear(rng, 4, 4), linear(rng, 4, 4)
    second.setVar("W", first.getVar("W"))
    return Sequential().append(first).append(norm(rng, 4)).append(second)


@pytest.mark.parametrize("make", [
    lambda rng: Sequential().append(norm(rng, 4)).append(linear(rng, 4, 3)),
    lambda rng: Sequential().append(linear(rng, 5, 4)).append(Activation("relu")).append(
        norm(rng, 4)),
    lambda rng: Sequential().append(linear(rng, 5, 4)).append(
        BatchNorm(4, trackRunningStats=False)),
    lambda rng: Sequential().append(linear(rng, 5, 4)).append(
        BatchNormAxes((7, None), 1)),
    shared], ids=["first", "behind a relu", "of the batch", "of other axes", "shared weights"])
def test_what_cannot_be_folded_stays(make, rng):
    net = make(rng)
    x = rng.standard_normal((7, net[0].insize if hasattr(net[0], "insize") else 4)).astype(
        np.float32)
    kinds, expected = [type(mod) for mod in net], evaluated(net, x)

    foldBatchNorm(net)

    assert [type(mod) for mod in net] == kinds
    assert np.array_equal(evaluated(net, x), expected)
