"""Batch normalization in training, forward and backward, with and without the relu behind it."""

import numpy as np

from benchmarks.Timer import Row, alternate
from minidl.Backend import Device, gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNormND

shapes = [  # of the data, and the goal beside PyTorch
    ((64, 64, 28, 28), 2.5), ((32, 256, 14, 14), 2.5), ((32, 64, 56, 56), 2.5), ((128, 512), 1.5)]


def measure():
    return [row for relu in (False, True) for shape, goal in shapes
            for row in rows(shape, goal, relu)]


def rows(shape, goal, relu):
    """Beside PyTorch with the order in memory that it is fastest in, and with the same order."""
    work = f"BatchNorm{' + relu' * relu} f+b, {'x'.join(map(str, shape))}"
    data, grad = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    mine, *peers = alternate(ours(data, grad, relu), *theirs(data, grad, relu))
    # The goal is meant beside the fastest.
    yield Row(work, mine, min(peers, default=None), goal)
    if len(peers) > 1:
        yield Row(f"{work}, both NCHW", mine, peers[0])


def ours(data, grad, relu):
    net = Sequential().append(BatchNormND(data.ndim - 2, data.shape[1]))
    if relu:
        net.append(Activation("relu"))
    data, grad = gpuarray.to_gpu(data), gpuarray.to_gpu(grad)

    def step():
        net(data)
        net.backward(grad, momentum=0.0)

    return step


def theirs(data, grad, relu):
    """PyTorch's step for each order in memory that it knows, first that of the data."""
    try:
        import torch
    except ImportError:
        return []

    place = Device.current().name  # PyTorch's words are the same
    kind = torch.nn.BatchNorm1d if data.ndim == 2 else torch.nn.BatchNorm2d

    def step(order):
        net = torch.nn.Sequential(kind(data.shape[1]), *[torch.nn.ReLU()] * relu).to(place)
        x, g = (torch.from_numpy(array).to(place).contiguous(memory_format=order)
                for array in (data, grad))
        x.requires_grad_()

        def run():
            net.zero_grad(set_to_none=True)
            x.grad = None
            net(x).backward(g)

        return run

    orders = [torch.contiguous_format, *[torch.channels_last] * (data.ndim == 4)]
    return [step(order) for order in orders]
