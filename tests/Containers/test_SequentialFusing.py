"""Modules that a net computes in one kernel give what they give one by one."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, Linear

sizes = pytest.mark.parametrize("batch, insize, outsize", [
    (1, 5, 3), (2, 70, 257), (7, 13, 1), (129, 67, 33), (256, 784, 128),
])
kinds = pytest.mark.parametrize("arguments", [
    {}, dict(useBias=False), dict(transpose=True),
], ids=repr)


def onDevice(array, dtype=np.float32):
    return gpuarray.to_gpu(np.asarray(array, dtype))


def oneByOne(net, data):
    for mod in net:
        data = mod(data)
    return data


@sizes
@kinds
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_and_relu(batch, insize, outsize, arguments, inplace, dtype, rng):
    net = Sequential().append(Linear(insize, outsize, **arguments))
    net.append(Activation("relu", inplace=inplace))
    if net[0].b is not None:
        net[0].b.set(rng.standard_normal(outsize).astype(np.float32))
    net.calcMode(dtype)
    x, g = rng.standard_normal((batch, insize)), rng.standard_normal((batch, outsize))

    results = []
    for forward in (net, lambda data: oneByOne(net, data)):
        y = forward(onDevice(x, dtype)).get()
        assert net[1].data.get().tobytes() == y.tobytes()
        net.data = net[1].data
        net.backward(onDevice(g, dtype), momentum=0.0)
        results.append([y, net.grad.get(), *(var.grad.get() for var in net.getVarTable())])

    tolerance = dict(rtol=1e-5, atol=1e-4) if dtype == np.float32 else dict(rtol=1e-12, atol=1e-12)
    for fused, single in zip(*results, strict=True):
        np.testing.assert_allclose(fused, single, **tolerance)
    assert (results[0][0] >= 0).all() and (results[0][0] == 0).any()


@sizes
def test_nan_stays_nan(batch, insize, outsize, rng):
    net = Sequential().append(Linear(insize, outsize)).append(Activation("relu"))
    x = rng.standard_normal((batch, insize))
    x[-1, insize // 2] = np.nan

    y = net(onDevice(x)).get()

    assert np.isnan(y[-1]).all() and not np.isnan(y[:-1]).any()


def test_a_module_of_ones_own_computes_itself(rng):
    class Doubled(Linear):
        def updateData(self, data):
            super().updateData(data)
            self.data *= 2

    class Shifted(Activation):
        def updateData(self, data):
            super().updateData(data)
            self.data += 1

    x = onDevice(rng.standard_normal((7, 5)))
    for first, second in [(Doubled, Activation), (Linear, Shifted), (Doubled, Shifted)]:
        net = Sequential().append(first(5, 4)).append(second("relu"))

        np.testing.assert_allclose(net(x).get(), oneByOne(net, x).get(), rtol=1e-6)


def test_an_activation_with_a_slice_computes_itself(rng):
    net = Sequential().append(Linear(5, 4)).append(Activation("relu", slc=slice(0, None, 2)))
    x = onDevice(rng.standard_normal((7, 5)))

    assert np.array_equal(net(x).get(), oneByOne(net, x).get())
    assert (net(x).get() < 0).any()
