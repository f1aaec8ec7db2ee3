"""Random nets, whatever they hold, come back bit by bit."""

import numpy as np

from minidl.Backend import gpuarray
from minidl.Containers import Parallel, Sequential
from minidl.Modules import BatchNorm, BatchNorm2D, Conv1D, Conv2D, Linear, PRelu
from tests.Case import stateOf
from tests.Soak import times

unusual = np.array([
    0x7FC12345, 0xFFC00001, 0x7F800001, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001, 0x807FFFFF,
    0x7F7FFFFF], np.uint32).view(np.float32)

names = [None, "lin", "a.b", "ключ", "x" * 60, "a b", "..", "0", "W", "~", "\n"]


def leaf(rng, number):
    name, n = f"{rng.choice([n for n in names if n])}{number}", int(rng.integers(1, 40))
    return [
        lambda: Linear(n, int(rng.integers(1, 40)), useBias=bool(rng.integers(2)), name=name),
        lambda: BatchNorm(n, name=name), lambda: BatchNorm2D(n, name=name),
        lambda: BatchNorm2D(n, name=name, affine=False),
        lambda: Conv2D(n, 3, 3, useBias=bool(rng.integers(2)), name=name),
        lambda: Conv1D(2, n, 5, name=name), lambda: PRelu(n, name=name)][rng.integers(7)]()


def randomNet(rng, depth=0):
    if depth:
        net = Sequential(f"inner{rng.integers(10 ** 6)}")
    else:
        net = [Sequential, Parallel][rng.integers(2)](names[rng.integers(len(names))])
    for number in range(rng.integers(1, 5)):
        isLeaf = depth == 3 or rng.integers(4)
        net.append(leaf(rng, number) if isLeaf else randomNet(rng, depth + 1))
    if rng.integers(2):
        net.setAttr("epoch", int(rng.integers(10 ** 9)))
        net.setAttr("curve", rng.standard_normal(rng.integers(0, 9)))
    return net


def scramble(net, rng):
    """Fills it with any bits, and a few that are unusual."""
    for _, owner in net.namedModules(""):
        for var in owner.vars.values():
            var.data.set(anyBits(rng, var.data.shape, var.data.dtype))
        if "mean" in owner.attrs:
            owner.mean.set(anyBits(rng, owner.mean.shape, owner.mean.dtype))
            owner.var.set(rng.exponential(size=owner.var.shape).astype(owner.var.dtype))
            owner.numOfProps[...] = rng.integers(0, 10 ** 9)


def anyBits(rng, shape, dtype):
    size = int(np.prod(shape))
    values = np.frombuffer(rng.bytes(size * dtype.itemsize), dtype).copy()
    places = rng.integers(0, size, 9)
    with np.errstate(all="ignore"):
        values[places] = unusual.astype(dtype, copy=False)
    return values.reshape(shape)


def test_random_nets_come_back_bit_by_bit(tmp_path, count):
    dtypes = [dtype for dtype, _ in gpuarray.dtypesSupported()]
    for seed in range(times(100, 1000)):
        twins = []
        for values in (1, 2):
            np.random.seed(seed)
            rng = np.random.default_rng(seed)
            net = randomNet(rng)
            net.calcMode(dtypes[seed % len(dtypes)])
            scramble(net, np.random.default_rng((seed, values)))
            twins.append(net)
        net, fresh = twins
        options = {"name": "root"} if net.name is None and seed % 2 else {}
        compress = ["gzip", None][seed % 2]

        if seed % 3:
            left = fresh.load(net.save(compress=compress, **options), strict=False, **options)
            assert left == {}, (seed, left)
        else:
            net.save(tmp_path / "net.hdf", compress=compress, **options)
            fresh.load(tmp_path / "net.hdf", requireSeal=True, **options)

        assert valuesOf(fresh) == valuesOf(net), seed
        assert fresh.attrs.keys() == net.attrs.keys()
        assert all(np.array_equal(fresh.attrs[name], value) for name, value in net.attrs.items())
    count(f"random nets that came back bit by bit: {seed + 1}")


def valuesOf(net):
    return {key: value for key, value in stateOf(net).items() if not key.endswith(".grad")}
