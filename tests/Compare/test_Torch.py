"""
Steps of training beside PyTorch, in float32. Its gradients are those of the error, minidl's
directions make the error smaller: they have opposite signs.
"""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Cost import MSE, CrossEntropy
from minidl.Modules import Activation, BatchNorm, BatchNormND, Linear
from minidl.Optimizers import SGD, Adam, MomentumSGD, NesterovSGD

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


@pytest.fixture(autouse=True)
def torchSeed():
    torch.manual_seed(0)


def assertClose(actual, expected, scale=1.0):
    expected = expected.detach().numpy().astype(np.float64)
    atol = 1e-5 * scale * max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=atol)


def passes(module, peer, x, g, scale=1.0):
    """Both give the same output and input gradient for data x and gradient g."""
    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))
    data = torch.from_numpy(x).requires_grad_()
    out = peer(data)
    out.backward(torch.from_numpy(g))
    assertClose(module.data.get(), out)
    assertClose(module.grad.get(), data.grad, scale)


norms = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d,
         5: torch.nn.BatchNorm3d}


@pytest.mark.parametrize("number", range(24))
@pytest.mark.parametrize("momentum", [0.1, 0.4, None])
def test_batch_norm(number, momentum):
    rng = np.random.default_rng(number)
    nd = number % 4
    batch, maps = rng.integers(3, 20), rng.integers(1, 100)
    schedule = (1.0, 0.0) if momentum is None else (0.0, momentum)
    module = BatchNormND(nd, int(maps), initFactor=schedule[0], minFactor=schedule[1])
    peer = norms[nd + 2](maps, momentum=momentum)
    with torch.no_grad():
        peer.weight[:] = torch.from_numpy(rng.uniform(0.5, 2, maps))
        peer.bias[:] = torch.from_numpy(rng.standard_normal(maps))
    module.scale.set(peer.weight.detach().numpy().reshape(module.scale.shape))
    module.bias.set(peer.bias.detach().numpy().reshape(module.bias.shape))

    for _ in range(3):
        shape = (batch, maps, *rng.integers(1, 6, nd))
        x, g = (rng.standard_normal((2, *shape)) + 3).astype(np.float32)
        peer.zero_grad()
        passes(module, peer, x, g, scale=10)
        assertClose(module.getVar("scale").grad.get().ravel(), peer.weight.grad, scale=10)
        assertClose(module.getVar("bias").grad.get().ravel(), peer.bias.grad, scale=10)
        assertClose(module.mean.get().ravel(), peer.running_mean)
        assertClose(module.var.get().ravel(), peer.running_var)

    module.evalMode()
    peer.eval()
    passes(module, peer, x, g)


@pytest.mark.parametrize("shape", [(67, 10), (5, 3), (3, 4, 7), (2, 3, 5, 4)])
def test_cross_entropy(shape, rng):
    scores = (rng.standard_normal(shape) * 5).astype(np.float32)
    labels = rng.integers(0, shape[1], shape[:1] + shape[2:])

    error, grad = CrossEntropy()(gpuarray.to_gpu(scores), gpuarray.to_gpu(labels.astype(np.int32)))

    data = torch.from_numpy(scores).requires_grad_()
    expected = torch.nn.functional.cross_entropy(data, torch.from_numpy(labels))
    expected.backward()
    assert error == pytest.approx(expected.item(), rel=1e-5)
    assertClose(-grad.get() / np.prod(shape[2:]), data.grad)  # theirs is divided by positions too


def test_cross_entropy_with_weights_of_classes(rng):
    scores, weights = rng.standard_normal((67, 5)).astype(np.float32), np.float32([1, 0.5, 2, 3, 0])
    labels = rng.integers(0, 5, 67)

    error, _ = CrossEntropy(weights=weights)(
        gpuarray.to_gpu(scores), gpuarray.to_gpu(labels.astype(np.int32)))

    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(scores), torch.from_numpy(labels), torch.from_numpy(weights))
    theirs = expected.item() * weights[labels].sum() / 67  # they divide by the sum of the weights
    assert error == pytest.approx(theirs, rel=1e-5)


def test_mse(rng):
    pred, target = rng.standard_normal((2, 33, 7)).astype(np.float32)

    error, grad = MSE()(gpuarray.to_gpu(pred), gpuarray.to_gpu(target))

    data = torch.from_numpy(pred).requires_grad_()
    expected = torch.nn.functional.mse_loss(data, torch.from_numpy(target)) / 2
    expected.backward()
    assert error == pytest.approx(expected.item(), rel=1e-5)
    assertClose(-grad.get(), data.grad)


# PyTorch's momentum is that of gradients, minidl's that of steps: the same for a constant rate.
optimizers = {
    "SGD": (lambda: SGD(0.1), lambda params: torch.optim.SGD(params, 0.1)),
    "MomentumSGD": (lambda: MomentumSGD(0.05, 0.9),
                    lambda params: torch.optim.SGD(params, 0.05, momentum=0.9)),
    # Theirs adds epsilon to another number, so it must not count. That asks for a net without
    # BatchNorm: the gradient of a bias before it is 0 but for rounding, which Adam blows up.
    "Adam": (lambda: Adam(1e-3, epsilon=1e-30),
             lambda params: torch.optim.Adam(params, 1e-3, eps=1e-30)),
}


def twins(normalized):
    """The same net of both."""
    net, peer = Sequential().append(Linear(20, 33)), torch.nn.Sequential(torch.nn.Linear(20, 33))
    if normalized:
        net.append(BatchNorm(33, initFactor=0, minFactor=0.1))
        peer.append(torch.nn.BatchNorm1d(33))
    net.extend([Activation("relu"), Linear(33, 17), Activation("relu"), Linear(17, 10)])
    peer.append(torch.nn.ReLU()).append(torch.nn.Linear(33, 17))
    peer.append(torch.nn.ReLU()).append(torch.nn.Linear(17, 10))
    for name, ours, theirs in pairs(net, peer):
        values = theirs.detach().numpy()
        ours.data.set((values.T if name.endswith("W") else values).reshape(ours.data.shape).copy())
    return net, peer


def pairs(net, peer):
    names = [name for names in net.getVarTable().values() for name in names]
    return zip(names, net.getVarTable(), peer.parameters(), strict=True)


def batch(rng):
    x = rng.standard_normal((64, 20)).astype(np.float32)
    return x, (x[:, :10] + 0.5 * rng.standard_normal((64, 10))).argmax(1)


@pytest.mark.parametrize("useGlobalState", [False, True])
@pytest.mark.parametrize("name", optimizers)
def test_ten_steps_of_a_net(name, useGlobalState, rng):
    net, peer = twins(normalized=name != "Adam")
    ours, theirs = optimizers[name][0](), optimizers[name][1](peer.parameters())
    ours.setupOn(net, useGlobalState=useGlobalState)
    cost = CrossEntropy()

    for step in range(10):
        x, labels = batch(rng)
        error, grad = cost(net(gpuarray.to_gpu(x)), gpuarray.to_gpu(labels.astype(np.int32)))
        ours.zeroGradParams()
        net.backward(grad, updGrad=False)

        theirs.zero_grad()
        scores = peer(torch.from_numpy(x))
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels))
        loss.backward()

        assert error == pytest.approx(loss.item(), rel=1e-5 * (step + 1))
        for _, mine, peers in pairs(net, peer):
            values = mine.grad.get()
            values = values.T if values.ndim == 2 else values.reshape(peers.shape)
            assertClose(-values, peers.grad, scale=10 * (step + 1))
        ours.update()
        theirs.step()

    for _, mine, peers in pairs(net, peer):
        values = mine.data.get()
        assertClose(values.T if values.ndim == 2 else values.reshape(peers.shape), peers, scale=10)
    net.evalMode()
    peer.eval()
    assertClose(net(gpuarray.to_gpu(x)).get(), peer(torch.from_numpy(x)), scale=10)


def test_nesterov(rng):
    start, gradients = rng.standard_normal((2, 3)), rng.standard_normal((5, 2, 3))
    module, optimizer = Linear(2, 3, useBias=False), NesterovSGD(0.1, 0.9)
    module.calcMode(np.float64)
    module.W.set(start)
    optimizer.setupOn(module)
    peer = torch.nn.Parameter(torch.from_numpy(start.copy()))
    theirs = torch.optim.SGD([peer], 0.1, momentum=0.9, nesterov=True)

    for gradient in gradients:
        module.getVar("W").grad.set(gradient)
        optimizer.update()
        peer.grad = torch.from_numpy(-gradient)
        theirs.step()

        np.testing.assert_allclose(module.W.get(), peer.detach().numpy(), rtol=1e-12)
