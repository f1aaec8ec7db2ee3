"""Cases of the sizes that networks have, and convolutions drawn at random; see tests/Cases.py."""

import numpy as np

from minidl.Modules import (
    AvgPool2D,
    Conv1D,
    Conv2D,
    Conv3D,
    CrossMapLRN,
    Deconv1D,
    Deconv2D,
    Deconv3D,
    GlobalAvgPool,
    MaxPool2D,
    Pad2D,
    Upsample2D,
    Upsample3D,
)
from tests.Case import Case

# (shape of data, outmaps, size, options): of every way that convolutions go on the CPU
networks = [
    ((2, 3, 67, 71), 64, 11, dict(stride=4, pad=2)), ((2, 3, 40, 37), 32, 11, {}),
    ((1, 16, 29, 31), 24, 11, dict(pad=5)), ((3, 1, 28, 28), 16, 3, {}),
    ((2, 3, 32, 32), 32, 3, dict(pad=1)), ((2, 3, 63, 65), 64, 7, dict(stride=2, pad=3)),
    ((3, 32, 32, 32), 32, 3, dict(pad=1)), ((2, 33, 17, 15), 67, 3, dict(pad=1)),
    ((2, 64, 56, 56), 64, 3, dict(pad=1)), ((5, 64, 8, 8), 128, 3, dict(pad=1)),
    ((1, 256, 14, 14), 256, 3, dict(pad=1)), ((1, 128, 13, 27), 200, 3, dict(pad=2)),
    ((4, 257, 7, 7), 40, 3, dict(pad=1)), ((2, 32, 9, 5), 32, 3, {}),
    ((9, 96, 16, 16), 32, 3, dict(pad=1, useBias=False)),
    ((2, 256, 14, 14), 512, 1, {}), ((9, 37, 6, 7), 41, 1, dict(useBias=False)),
    ((3, 70, 9, 11), 66, 1, dict(groups=2)), ((1, 33, 8, 9), 131, 1, {}),
    ((3, 256, 14, 14), 128, 1, dict(stride=2)),
    ((2, 48, 27, 27), 64, 5, dict(pad=2, groups=2)), ((2, 128, 14, 14), 128, 3, dict(
        pad=1, groups=32)),
    ((2, 64, 28, 28), 64, 3, dict(pad=1, groups=64)), ((2, 24, 28, 28), 48, 5, dict(
        pad=2, stride=2, groups=24)),
    ((2, 32, 28, 28), 32, 3, dict(pad=4, dilation=4)), ((1, 32, 33, 31), 48, 3, dict(
        pad=[2, 6], dilation=[2, 6], stride=[1, 2])),
    ((2, 16, 13, 13), 32, 4, {}), ((16, 16, 16, 16), 32, 4, {}),
    ((3, 35, 31, 30), 33, 4, dict(pad=[2, 1])), ((33, 5, 9, 9), 7, 3, dict(stride=3))]
transposed = [
    ((2, 64, 14, 14), 32, 4, dict(stride=2, pad=1)), ((2, 32, 16, 16), 64, 3, dict(pad=1)),
    ((2, 67, 7, 9), 33, 3, dict(stride=2, pad=1, postpad=1)), ((1, 3, 31, 29), 8, 11, dict(pad=5)),
    ((1, 24, 28, 28), 24, 2, dict(stride=2, groups=24)), ((1, 128, 7, 7), 256, 1, {}),
    ((2, 66, 5, 13), 96, 1, dict(groups=2))]


def drawn(number):
    """A convolution or transposed one of random sizes and options."""
    rng = np.random.default_rng(number)
    nd = number % 3 + 1
    back = number // 3 % 2
    kind = ((Conv1D, Conv2D, Conv3D), (Deconv1D, Deconv2D, Deconv3D))[back][nd - 1]
    few = lambda most, least=1: rng.integers(least, most, nd, endpoint=True).tolist()
    groups = int(rng.choice([1, 1, 2, 3]))
    inmaps, outmaps = (groups * int(each) for each in rng.integers(1, 40, 2))
    size, stride, dilation = few((31, 7, 3)[nd - 1]), few(3), few(3)
    spans = [(each - 1) * steps + 1 for each, steps in zip(size, dilation, strict=True)]
    pad = [int(rng.integers(0, each)) // (1 + back) for each in spans]
    sizes = [each + int(more) for each, more in zip(
        spans, rng.integers(0, (100, 20, 7)[nd - 1], nd), strict=True)]
    options = dict(stride=stride, pad=pad, dilation=dilation, groups=groups,
                   useBias=bool(rng.integers(2)))
    if back:
        options["postpad"] = [
            int(rng.integers(0, max(each))) for each in zip(stride, dilation, strict=True)]
    return Case(kind, inmaps, outmaps, size, shape=(int(rng.integers(1, 5)), inmaps, *sizes),
                **options)


largeConvs = [
    *(Case(Conv2D, shape[1], *args, shape=shape, **options) for shape, *args, options in networks),
    *(Case(Deconv2D, shape[1], *args, shape=shape, **options)
      for shape, *args, options in transposed),
    *map(drawn, range(60)),
]
largeMaps = [
    *(Case(kind, 3, 2, pad, shape=shape) for kind in (MaxPool2D, AvgPool2D)
      for pad, shape in ((0, (2, 3, 55, 55)), (1, (2, 3, 56, 41)))),
    Case(GlobalAvgPool, shape=(64, 67, 7, 7)),
    Case(CrossMapLRN, shape=(2, 96, 27, 27)),
    Case(Pad2D, 30, "reflect", shape=(5, 13, 31, 37)),
    Case(Upsample2D, (4, 3), "linear", shape=(2, 3, 33, 31)),
    Case(Upsample3D, (3, 1, 2), shape=(1, 2, 5, 6, 11)),
]
