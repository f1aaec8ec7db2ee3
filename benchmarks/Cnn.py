"""Convolutional networks: a training step, and the answer in evaluation mode."""

import numpy as np

from benchmarks.Timer import Row, alternate
from minidl.Backend import Device, gpuarray
from minidl.Cost import CrossEntropy
from minidl.Models.Nets import loadBatchNormCnn, loadLeNet
from minidl.Modules import Activation, BatchNorm2D, Conv2D, Flatten, Linear, MaxPool2D
from minidl.Optimizers import MomentumSGD

nets = [  # (name, how to make it, shape of data, goal of a training step beside PyTorch)
    ("LeNet", lambda: loadLeNet(None, "he"), (64, 1, 28, 28), 1.5),
    ("BatchNorm CNN", loadBatchNormCnn, (32, 3, 32, 32), 1.25),
]


def measure():
    return [row for net in nets for row in rows(*net)]


def rows(name, make, shape, goal):
    rng = np.random.default_rng(0)
    data = rng.standard_normal(shape).astype(np.float32)
    labels = rng.integers(0, 10, shape[0]).astype(np.int32)
    sizes = "x".join(map(str, shape))
    steps, infers = zip(ours(make, data, labels), *theirs(make, data, labels), strict=True)
    for work, functions, least in ((f"{name} training step, {sizes}", steps, goal),
                                   (f"{name} inference, {sizes}", infers, None)):
        mine, *peers = alternate(*functions, rounds=15)
        yield Row(work, mine, min(peers, default=None), least)


def ours(make, data, labels):
    net, cost, optimizer = make(), CrossEntropy(), MomentumSGD(1e-3, 0.9)
    optimizer.setupOn(net, useGlobalState=True)
    data, labels = gpuarray.to_gpu(data), gpuarray.to_gpu(labels)

    def step():
        grad = cost(net(data), labels, queryError=False)
        optimizer.zeroGradParams()
        net.backward(grad, updGrad=False)
        optimizer.update()

    inferNet = make()
    inferNet.evalMode()
    return step, lambda: inferNet(data)


def theirs(make, data, labels):
    """PyTorch's (step, answer) for each order of memory that it knows; the faster one counts."""
    try:
        import torch
    except ImportError:
        return []

    place = Device.current().name  # PyTorch's words are the same
    target = torch.from_numpy(labels.astype(np.int64)).to(place)

    def pair(order):
        net, inferNet = (peerOf(torch, make()).to(place, memory_format=order) for _ in range(2))
        inferNet.eval()
        x = torch.from_numpy(data).to(place).contiguous(memory_format=order)
        cost = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, fused=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            cost(net(x), target).backward()
            optimizer.step()

        def infer():
            with torch.inference_mode():
                inferNet(x)

        return step, infer

    return [pair(order) for order in (torch.contiguous_format, torch.channels_last)]


def peerOf(torch, net):
    """The same layers in PyTorch."""
    makers = {
        Conv2D: lambda mod: torch.nn.Conv2d(
            mod.inmaps, mod.outmaps, mod.size, mod.stride, mod.pad, bias=mod.useBias),
        BatchNorm2D: lambda mod: torch.nn.BatchNorm2d(mod.maps),
        Activation: lambda mod: torch.nn.ReLU(inplace=True),
        MaxPool2D: lambda mod: torch.nn.MaxPool2d(2, 2),
        Flatten: lambda mod: torch.nn.Flatten(),
        Linear: lambda mod: torch.nn.Linear(mod.insize, mod.outsize)}
    return torch.nn.Sequential(*(makers[type(mod)](mod) for mod in net))
