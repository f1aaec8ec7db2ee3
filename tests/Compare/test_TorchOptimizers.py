"""Optimizers, hooks and schedules beside PyTorch's, in float64 on the same gradients."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Linear
from minidl.Optimizers import SGD, AdaDelta, AdaGrad, AdamW, RMSProp, RMSPropGraves
from minidl.Optimizers.Hooks import L1, ClipNorm, ClipValue, WeightDecay
from minidl.Optimizers.Schedules import Cosine, Plateau, Step, WarmUp

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

shapes = [(5, 7), (3, 4), (2, 9)]

# Where they add epsilon to another number, it is so small that it does not count.
pairs = {
    "AdaGrad": (lambda: AdaGrad(0.1, 1e-3), lambda p: torch.optim.Adagrad(p, 0.1, eps=1e-3)),
    "AdaDelta": (lambda: AdaDelta(0.8, 1e-3),
                 lambda p: torch.optim.Adadelta(p, 1.0, rho=0.8, eps=1e-3)),
    "RMSProp": (lambda: RMSProp(0.1, 0.8, 1e-3),
                lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.8, eps=1e-3)),
    "RMSPropGraves": (
        lambda: RMSPropGraves(0.1, 0.8, 0.7, 1e-30),
        lambda p: torch.optim.RMSprop(p, 0.1, 0.8, 1e-30, momentum=0.7, centered=True)),
    "AdamW": (lambda: AdamW(0.1, 0.8, 0.95, 1e-30, decay=0.3, of="all"),
              lambda p: torch.optim.AdamW(p, 0.1, (0.8, 0.95), 1e-30, weight_decay=0.3)),
    "L2": (lambda: hooked(WeightDecay(0.3, of="weights")),
           lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.3)),
}


def hooked(*hooks):
    optimizer = SGD(0.1)
    for hook in hooks:
        optimizer.addHook(hook)
    return optimizer


def follow(optimizer, peer, change=None, useGlobalState=True, steps=6):
    """Both take the same steps; `change(parameters)` is what the peer does to gradients before."""
    rng, net = np.random.default_rng(3), Sequential("net")
    for shape in shapes:
        net.append(Linear(*shape, useBias=False))
    net.calcMode(np.float64)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    params = [torch.nn.Parameter(torch.from_numpy(module.W.get())) for module in net]
    theirs = peer(params)

    for _ in range(steps):
        for module, param in zip(net, params, strict=True):
            gradient = rng.standard_normal(param.shape)
            module.getVar("W").grad[...] = gpuarray.to_gpu(gradient)
            param.grad = torch.from_numpy(-gradient)
        if change is not None:
            change(params)
        optimizer.update()
        theirs.step()

        for module, param in zip(net, params, strict=True):
            np.testing.assert_allclose(module.W.get(), param.detach().numpy(), rtol=1e-10)


@pytest.mark.parametrize("useGlobalState", [False, True])
@pytest.mark.parametrize("name", pairs)
def test_steps(name, useGlobalState):
    ours, theirs = pairs[name]

    follow(ours(), theirs, useGlobalState=useGlobalState)


def sgd(params):
    return torch.optim.SGD(params, 0.1)


@pytest.mark.parametrize("limit", [0.5, 3.0, 1e3])
def test_clipping(limit):
    def clipNorm(params):
        norm = torch.nn.utils.get_total_norm([param.grad for param in params])
        same = limit * (1 + 1e-6 / norm.item())  # since theirs divides by norm + 1e-6
        torch.nn.utils.clip_grads_with_norm_(params, same, norm)

    follow(hooked(ClipValue(limit)), sgd,
           lambda params: torch.nn.utils.clip_grad_value_(params, limit))
    follow(hooked(ClipNorm(limit)), sgd, clipNorm)


def test_l1():
    def penalty(params):
        for param in params:
            param.grad += 0.3 * torch.sign(param.detach())

    follow(hooked(L1(0.3)), sgd, penalty)


# The factors of PyTorch's schedules are the same functions of the number of steps.
cases = {
    "Step": (lambda o: Step(o, every=4, gamma=0.3),
             lambda o: torch.optim.lr_scheduler.StepLR(o, 4, 0.3)),
    "Cosine": (lambda o: Cosine(o, steps=30, low=0.1),
               lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30, eta_min=0.05)),
    "WarmUp": (lambda o: WarmUp(o, steps=7, low=0.2),
               lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.2, total_iters=7)),
    "WarmUp, Cosine": (
        lambda o: WarmUp(o, steps=7, low=0.2, then=Cosine(o, steps=23)),
        lambda o: torch.optim.lr_scheduler.SequentialLR(o, [
            torch.optim.lr_scheduler.LinearLR(o, 0.2, total_iters=7),
            torch.optim.lr_scheduler.CosineAnnealingLR(o, 23)], [7])),
    "Cosine, Cosine": (
        lambda o: Cosine(o, 10, then=Cosine(o, 20)),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 10, 2)),
}


def peerOf(rate=0.5):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # their own SequentialLR passes it
@pytest.mark.parametrize("name", cases)
def test_rates(name):
    ours, theirs = SGD(0.5), peerOf()
    schedule, peer = cases[name][0](ours), cases[name][1](theirs)

    for _ in range(29):
        assert ours.learnRate == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        schedule.step()
        theirs.step()  # which it asks for
        peer.step()


def test_plateau(rng):
    ours, theirs = SGD(0.5), peerOf()
    schedule = Plateau(ours, gamma=0.7, patience=2, threshold=0.01)
    peer = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.7, patience=2, threshold=0.01, eps=0)

    for value in 1 / np.arange(1, 60) + 0.1 * rng.uniform(size=59):
        schedule.step(value)
        peer.step(value)
        assert ours.learnRate == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
    assert schedule.n > 3
