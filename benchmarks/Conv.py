"""Convolutions: forward, the gradient of the input and that of the filters, layer by layer."""

import numpy as np

from benchmarks.Timer import Row, alternate
from minidl.Backend import Device, gpuarray
from minidl.Modules import Conv2D

layers = [  # shape of data, maps after, size of the filters, pad, groups
    ((64, 1, 28, 28), 16, 3, 0, 1),
    ((32, 3, 32, 32), 32, 3, 1, 1),
    ((32, 32, 32, 32), 32, 3, 1, 1),
    ((64, 16, 13, 13), 32, 4, 0, 1),
    ((32, 64, 16, 16), 64, 3, 1, 1),
    ((32, 128, 8, 8), 128, 3, 1, 1),
    ((32, 256, 14, 14), 256, 1, 0, 1),
    ((16, 64, 56, 56), 64, 3, 1, 1),
    ((32, 64, 28, 28), 64, 3, 1, 64),
]
leastRatio = 1 / 1.1  # no layer is slower by more


def measure():
    return [row(*layer) for layer in layers]


def row(shape, maps, size, pad, groups):
    work = f"conv {'x'.join(map(str, shape))} to {maps}, {size}x{size}" + (
        f", {groups} groups" if groups > 1 else "")
    data = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    mine, *peers = alternate(
        ours(data, maps, size, pad, groups), *theirs(data, maps, size, pad, groups), rounds=15)
    return Row(work, mine, min(peers, default=None), leastRatio)


def ours(data, *args):
    maps, size, pad, groups = args
    module = Conv2D(data.shape[1], maps, size, pad=pad, groups=groups)
    data = gpuarray.to_gpu(data)
    grad = module(data).copy()

    def step():
        module(data)
        module.backward(grad)

    return step


def theirs(data, maps, size, pad, groups):
    """PyTorch's step for each order of memory that it knows; the faster one counts."""
    try:
        import torch
    except ImportError:
        return []

    place = Device.current().name  # PyTorch's words are the same

    def step(order):
        net = torch.nn.Conv2d(data.shape[1], maps, size, padding=pad, groups=groups)
        net = net.to(place, memory_format=order)
        x = torch.from_numpy(data).to(place).contiguous(memory_format=order).requires_grad_()
        grad = torch.ones_like(net(x))

        def run():
            net.zero_grad(set_to_none=True)
            x.grad = None
            net(x).backward(grad)

        return run

    return [step(order) for order in (torch.contiguous_format, torch.channels_last)]
