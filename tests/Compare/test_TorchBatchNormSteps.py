"""Batch normalization beside PyTorch's: random shapes and options, over several steps."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNorm1D, BatchNorm2D, BatchNorm3D, ModuleError
from tests.BatchNormReference import Reference, assertClose

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

kinds = [BatchNorm, BatchNorm1D, BatchNorm2D, BatchNorm3D]
peers = ["BatchNorm1d", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"]


class Pair:
    """A module and PyTorch's, with equal parameters."""

    def __init__(self, rng, nd, maps, epsilon=1e-5, momentum=0.1, affine=True, tracks=True,
                 dtype=np.float32):
        schedule = (1, 0) if momentum is None else (0, momentum)
        self.module = kinds[nd](maps, epsilon, *schedule, affine=affine, trackRunningStats=tracks)
        self.module.calcMode(dtype)
        self.peer = getattr(torch.nn, peers[nd])(
            maps, epsilon, momentum, affine, tracks, dtype=getattr(torch, np.dtype(dtype).name))
        self.dtype, self.affine, self.tracks = dtype, affine, tracks
        if affine:
            self.peer.weight.data = torch.from_numpy(rng.uniform(-2, 2, maps).astype(dtype))
            self.peer.bias.data = torch.from_numpy(rng.standard_normal(maps).astype(dtype))
            for name, theirs in (("scale", self.peer.weight), ("bias", self.peer.bias)):
                array = getattr(self.module, name)
                array.set(theirs.detach().numpy().reshape(array.shape).copy())

    def mode(self, train):
        self.module.trainMode() if train else self.module.evalMode()
        self.peer.train(train)

    def step(self, x, g):
        """All that both make of data x and gradient g."""
        self.peer.zero_grad()
        self.module(gpuarray.to_gpu(x))
        self.module.backward(gpuarray.to_gpu(g))
        data = torch.from_numpy(x).requires_grad_()
        out = self.peer(data)
        out.backward(torch.from_numpy(g))

        # dx is a sum of terms that may cancel: its error is measured by their size.
        axes = (0, *range(2, x.ndim))
        terms = Reference(x, axes, self.module.scale.get().reshape(-1, *[1] * (x.ndim - 2)), 0, g)
        self.compare(self.module.data, out)
        self.compare(self.module.grad, data.grad, size=terms.gradSize)
        if self.affine and self.module.train:
            for name, theirs in (("scale", self.peer.weight), ("bias", self.peer.bias)):
                self.compare(self.module.getVar(name).grad, theirs.grad, size=np.abs(g).sum(axes))
        if self.tracks:
            self.compare(self.module.mean, self.peer.running_mean)
            self.compare(self.module.var, self.peer.running_var)
            assert self.module.numOfProps == self.peer.num_batches_tracked

    def compare(self, ours, theirs, size=1e-3):
        assertClose(ours, theirs.detach().numpy(), self.dtype, size=np.max(size))


def drawn(rng, nd):
    """A random shape with two values a map or more."""
    while True:
        shape = (*rng.integers(1, 9, 1), *rng.integers(1, 40, 1), *rng.integers(1, 8, nd))
        if np.prod(shape) >= 3 * shape[1]:
            return tuple(map(int, shape))


@pytest.mark.parametrize("number", range(64))
def test_random_shapes_and_options(number):  # T1 to T3, T5 to T11, T16, T20, X16
    rng = np.random.default_rng(number)
    nd = number % 4
    options = dict(
        epsilon=float(rng.choice([1e-5, 1e-3, 0.1])), momentum=rng.choice([None, 0.1, 0.5, 1.0]),
        affine=bool(rng.random() < 0.7), tracks=bool(rng.random() < 0.8))
    first = drawn(rng, nd)
    pair = Pair(rng, nd, first[1], **options)

    for train in (True, True, False, True, False):
        batch, _, *sizes = drawn(rng, nd)
        x, g = (rng.standard_normal((2, batch, first[1], *sizes)) * 2 + 1).astype(np.float32)
        pair.mode(train)
        pair.step(x, g)


@pytest.mark.parametrize("shape", [
    (5, 5, 5), (3, 2, 4), (3, 1), (3, 2, 3, 4), (2, 1), (1, 2, 3), (2, 3, 2, 2, 3)])
@pytest.mark.parametrize("momentum", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("affine", [True, False])
def test_double_precision(shape, momentum, affine, rng):  # T6, T7, T9, T21, X10, X15, X21
    pair = Pair(rng, len(shape) - 2, shape[1], momentum=momentum, affine=affine, dtype=np.float64)

    for train in (True, True, False):
        pair.mode(train)
        pair.step(*rng.standard_normal((2, *shape)))


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1), (1, 3, 1, 1, 1)])
@pytest.mark.parametrize("train, tracks", [(True, True), (True, False), (False, False)])
def test_both_refuse_one_value_a_map(shape, train, tracks, rng):  # T18
    pair = Pair(rng, len(shape) - 2, 3, tracks=tracks)
    pair.mode(train)
    x = rng.standard_normal(shape).astype(np.float32)

    with pytest.raises(ModuleError, match="two or more values a map to train on"):
        pair.module(gpuarray.to_gpu(x))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        pair.peer(torch.from_numpy(x))


@pytest.mark.parametrize("nd", range(4))
def test_both_start_anew(nd, rng):  # T22
    pair = Pair(rng, nd, 3, momentum=None)
    for scale in (1, 5):
        for _ in range(2):
            shape = (7, 3, 2, 3, 2)[:nd + 2]
            pair.step(*(scale * rng.standard_normal((2, *shape))).astype(np.float32))
        pair.module.resetStats()
        pair.peer.reset_running_stats()


@pytest.mark.parametrize("nd", range(4))
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracks", [True, False])
def test_both_have_as_much_to_learn_and_to_keep(nd, affine, tracks, rng):  # T10, T11, T20, T24
    pair = Pair(rng, nd, 3, affine=affine, tracks=tracks)

    assert pair.module.numOfParams() == sum(each.numel() for each in pair.peer.parameters())
    assert len(pair.module.attrs) == len(list(pair.peer.buffers()))
    assert all(hasattr(pair.module, name) for name in ("scale", "bias", "mean", "var"))
