"""A max pool and the relu behind it give in one kernel what they give one by one, bit for bit."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.KernelFile import Kernel
from minidl.Containers import Graph, Sequential
from minidl.Modules import Activation, Identity, MaxPool2D, MaxPoolND, MaxUnpool2D
from tests.Windows import everyWindow


def onDevice(array, dtype=np.float32):
    return gpuarray.to_gpu(np.asarray(array, dtype))


def make(shape, size=2, stride=2, pad=0, **kwargs):
    pool = MaxPoolND(len(shape) - 2, size, stride, pad, name="pool")
    return Sequential().append(pool).append(Activation("relu", name="relu", **kwargs))


def draw(shape, rng, dtype=np.float32):
    """Numbers of which some are equal, not numbers, infinite, or -0."""
    x = rng.integers(-3, 3, shape).astype(dtype)
    for special in (np.nan, np.inf, -np.inf, -0.0):
        x[rng.uniform(size=shape) < 0.05] = special
    return x


def oneByOne(net, x, g):
    """Output, mask, gradients of the pool's data and output, and the pool's output."""
    pool, relu = net
    y = relu(pool(onDevice(x, x.dtype)))
    pooled = pool.data.get()
    relu.backward(onDevice(g, g.dtype))
    pool.backward(relu.grad)
    return [each.get() for each in (y, pool.mask, pool.grad, relu.grad)] + [pooled]


def together(net, x, g):
    pool, relu = net
    y = net(onDevice(x, x.dtype))
    assert net.units == [(0, pool, [relu])]
    net.backward(onDevice(g, g.dtype))
    return [each.get() for each in (y, pool.mask, net.grad, relu.grad, pool.data)]


def compare(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.tobytes() == other.tobytes()


@everyWindow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("train, inplace", [(True, False), (True, True), (False, False)])
def test_a_pool_and_its_relu(shape, size, stride, pad, dtype, train, inplace, rng):
    net = make(shape, size, stride, pad, inplace=inplace)
    net.calcMode(dtype)
    net.trainMode() if train else net.evalMode()
    x = draw(shape, rng, dtype)
    g = rng.standard_normal(net.dataShapeFrom(shape)).astype(dtype)

    found = together(net, x, g)

    compare(found, oneByOne(net, x, g))


@everyWindow
def test_the_formula(shape, size, stride, pad, rng):
    net, x = make(shape, size, stride, pad), rng.standard_normal(shape).astype(np.float32)
    y = net(onDevice(x)).get()
    g = rng.standard_normal(y.shape).astype(np.float32)
    net.backward(onDevice(g))

    flat = x.reshape(*shape[:2], -1)
    mask = net[0].mask.get().reshape(*shape[:2], -1)
    maxima = np.take_along_axis(flat, mask, -1).reshape(y.shape)
    np.testing.assert_array_equal(y, np.maximum(maxima, 0))
    np.testing.assert_array_equal(net[0].data.get(), maxima)
    expected, passed = np.zeros(flat.shape), np.where(maxima > 0, g, 0).reshape(mask.shape)
    for index in np.ndindex(mask.shape):
        expected[(*index[:2], mask[index])] += passed[index]
    np.testing.assert_allclose(net.grad.get().reshape(flat.shape), expected, 1e-5, 1e-6)


def test_one_kernel_there_and_one_back(monkeypatch, rng):
    launched, call = [], Kernel.__call__
    monkeypatch.setattr(Kernel, "__call__", lambda self, blocks, *values: (
        launched.append(self.name), call(self, blocks, *values)))
    net, x = make((2, 3, 6, 6)), onDevice(rng.standard_normal((2, 3, 6, 6)))

    net(x)
    net.backward(onDevice(rng.standard_normal((2, 3, 3, 3))))

    assert launched == ["maxPool", "maxPoolBackward"]


def test_what_lies_between_them_is_there_for_who_asks(rng):
    net, x = make((2, 3, 6, 6)), onDevice(draw((2, 3, 6, 6), rng))
    pool, relu = net
    net(x)
    assert relu.inData is pool.data
    np.testing.assert_array_equal(pool.data.get(), MaxPool2D()(x).get())

    g = onDevice(rng.standard_normal((2, 3, 3, 3)))
    net.backward(g)
    np.testing.assert_array_equal(relu.grad.get(), np.where(relu.data.get() > 0, g.get(), 0))

    pool.backward(g)  # by itself, it knows of no relu
    alone = MaxPool2D()
    alone(x)
    alone.backward(g)
    np.testing.assert_array_equal(pool.grad.get(), alone.grad.get())


def test_a_gradient_that_nobody_wants_is_not_found(rng):
    pool, relu = net = make((2, 3, 6, 6))
    net(onDevice(rng.standard_normal((2, 3, 6, 6))))
    g = onDevice(rng.standard_normal((2, 3, 3, 3)))

    pool.backwardFused(g, [relu], updGrad=False)

    assert pool.grad is None
    np.testing.assert_array_equal(relu.grad.get(), np.where(relu.data.get() > 0, g.get(), 0))


def test_unpooling_behind_them_finds_the_mask(rng):
    net, x = make((2, 3, 6, 6)), draw((2, 3, 6, 6), rng)
    both = Sequential().append(net).append(MaxUnpool2D(net[0]))

    found = both(onDevice(x)).get()

    y = net[1](net[0](onDevice(x)))
    np.testing.assert_array_equal(found, MaxUnpool2D(net[0])(y).get())


@pytest.mark.parametrize("nested", [False, True])
def test_graphs_and_nets_in_nets(nested, rng):
    shape = (2, 3, 7, 9)
    pool, relu = net = make(shape)
    x, g = draw(shape, rng), rng.standard_normal(net.dataShapeFrom(shape)).astype(np.float32)
    expected = oneByOne(make(shape), x, g)

    if nested:
        whole = Sequential().append(Sequential("inner").append(Identity()).append(pool))
        whole.append(relu)
        assert whole[0].fusable([relu]) == 1
    else:
        node = Identity(name="start").node()
        whole = Graph(node, relu.node(pool.node(node)))
    y = whole(onDevice(x)).get()
    whole.backward(onDevice(g))

    assert nested or len(whole.fused) == 1
    compare([y, pool.mask.get(), whole.grad.get(), relu.grad.get(), pool.data.get()], expected)


def test_what_two_take_is_not_fused(rng):
    pool, relu = make((2, 3, 6, 6))
    x = onDevice(draw((2, 3, 6, 6), rng))
    node = pool.node()
    net = Graph(node, [relu.node(node), Identity(name="same").node(node)])

    y, maxima = net(x)

    assert net.fused == {}
    np.testing.assert_array_equal(maxima.get(), MaxPool2D()(x).get())
    np.testing.assert_array_equal(y.get(), Activation("relu")(maxima).get())


def test_modules_that_compute_something_else_do_so_themselves(rng):
    class Doubled(MaxPool2D):
        def updateData(self, data):
            super().updateData(data)
            self.data *= 2

    class Steep(MaxPool2D):
        def updateGrad(self, grad):
            super().updateGrad(grad)
            self.grad *= 2

    class Shifted(Activation):
        def updateData(self, data):
            super().updateData(data)
            self.data += 1

    x = onDevice(rng.standard_normal((2, 3, 6, 6)))
    for pool, relu in [(Doubled(), Activation("relu")), (Steep(), Activation("relu")),
                       (MaxPool2D(), Shifted("relu")), (MaxPool2D(), Activation("tanh")),
                       (MaxPool2D(), Activation("relu", slc=slice(0, None, 2)))]:
        net = Sequential().append(pool).append(relu)

        found = net(x).get()

        assert len(net.units) == 2
        np.testing.assert_array_equal(found, relu(pool(x)).get())


def test_a_gradient_of_another_shape_is_refused(rng):
    net = make((2, 3, 6, 6))
    net(onDevice(rng.standard_normal((2, 3, 6, 6))))
    with pytest.raises(ValueError, match=r"grad must have the shape of data \(2, 3, 3, 3\), got"):
        net.backward(onDevice(np.ones((2, 3, 3, 2))))
