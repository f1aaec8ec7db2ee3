"""Modules taken over from other systems, beside these systems' formulas in float64."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.BatchNormFrom import fromKeras, fromLasagne, fromMxnet, fromTorch
from minidl.Modules import BatchNorm, BatchNorm1D, BatchNorm2D, BatchNorm3D
from tests.BatchNormPeer import Peer, assertClose, torchs
from tests.BatchNormReference import Reference

shapes = [(7, 5), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2), (2, 3, 2, 1, 3, 2)]
channelAxes = [(shape, axis) for shape in shapes for axis in range(-len(shape), len(shape))]


def others(shape, axis):
    return tuple(at for at in range(len(shape)) if at != axis % len(shape))


def byOldWeight(momentum):
    """The averages of MXNet and Keras, of the biased variance."""
    def average(mean, var, batch):
        return (mean * momentum + batch.mean * (1 - momentum),
                var * momentum + batch.var * (1 - momentum))
    return average


# Lasagne

def lasagnesAverage(alpha):
    def average(mean, invStd, batch):
        return ((1 - alpha) * mean + alpha * batch.mean,
                (1 - alpha) * invStd + alpha * batch.invStd)
    return average


def fromLasagnes(peer, beta=True, gamma=True, **options):
    shape = [None if at in peer.axes else size for at, size in enumerate(peer.shape)]
    return fromLasagne(peer.beta if beta else None, peer.gamma if gamma else None, peer.mean,
                       peer.spread, shape, **options)


@pytest.mark.parametrize("shape, axes", [
    ((7, 5), "auto"), ((2, 3, 4, 5), "auto"), ((7, 5), 1), ((4, 3, 5), 0), ((4, 3, 5), (0, 1)),
    ((2, 3, 4, 5), (2, 3)), ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (0, 1, 2, 3))])
def test_lasagnes_layer_goes_on(shape, axes, rng):
    resolved = others(shape, 1) if axes == "auto" else (axes,) if type(axes) is int else axes
    peer = Peer(rng, shape, resolved)

    peer.continues(fromLasagnes(peer, axes=axes), 1e-4, lasagnesAverage(0.1), inference="invstd")


def test_lasagnes_epsilon_and_alpha(rng):
    peer = Peer(rng, (4, 3, 5), (0, 2))

    peer.continues(fromLasagnes(peer, epsilon=0.01, alpha=0.7), 0.01, lasagnesAverage(0.7),
                   inference="invstd")


@pytest.mark.parametrize("beta", [True, False])
@pytest.mark.parametrize("gamma", [True, False])
def test_lasagnes_none_is_fixed(beta, gamma, rng):
    peer = Peer(rng, (4, 3, 5), (0, 2))
    module = fromLasagnes(peer, beta, gamma)

    peer.continues(module, 1e-4, lasagnesAverage(0.1), None if gamma else 1, None if beta else 0,
                   "invstd")

    assert list(module.vars) == ["scale"] * gamma + ["bias"] * beta


def test_lasagnes_single_value_trains(rng):
    peer = Peer(rng, (1, 5), (0,))

    peer.continues(fromLasagnes(peer), 1e-4, lasagnesAverage(0.1), inference="invstd")


# MXNet

def fromMxnets(peer, **options):
    return fromMxnet({"bn_gamma": peer.gamma, "bn_beta": peer.beta, "other_gamma": 5},
                     {"bn_moving_mean": peer.mean, "bn_moving_var": peer.spread}, "bn",
                     len(peer.shape) - 2, **options)


@pytest.mark.parametrize("shape, axis", channelAxes)
def test_mxnets_axes(shape, axis, rng):
    peer = Peer(rng, shape, others(shape, axis))

    peer.continues(fromMxnets(peer, axis=axis, fixGamma=False), 1e-3, byOldWeight(0.9))


def test_mxnets_gamma_is_fixed_by_default(rng):
    peer = Peer(rng, (4, 3, 5), (0, 2))

    peer.continues(fromMxnets(peer), 1e-3, byOldWeight(0.9), gamma=1)


@pytest.mark.parametrize("momentum", [0, 0.5, 1])
def test_mxnets_momentum_and_eps(momentum, rng):
    peer = Peer(rng, (4, 3, 5), (0, 2))

    peer.continues(fromMxnets(peer, momentum=momentum, eps=0.1, fixGamma=False), 0.1,
                   byOldWeight(momentum))


def test_mxnets_single_value_trains(rng):
    peer = Peer(rng, (1, 5), (0,))

    peer.continues(fromMxnets(peer), 1e-3, byOldWeight(0.9), gamma=1)


def test_mxnets_global_statistics_serve_in_training_too(rng):
    peer = Peer(rng, (4, 3, 5), (0, 2))
    module = fromMxnets(peer, useGlobalStats=True, fixGamma=False)
    module.calcMode(np.float64)

    for _ in range(2):
        x, g = peer.batch()
        peer.passes(module, x, g, Reference(
            x, peer.axes, peer.full(peer.gamma), peer.full(peer.beta), g,
            mean=peer.full(peer.mean), var=peer.full(peer.spread), epsilon=1e-3))
        assertClose(module.mean, peer.mean)
        assertClose(module.var, peer.spread)


@pytest.mark.parametrize("spellings", [
    ["fixGamma", "useGlobalStats", "outputMeanVar", "cudnnOff"],
    ["fix_gamma", "use_global_stats", "output_mean_var", "cudnn_off"],
    ["fix.gamma", "use.global.stats", "output.mean.var", "cudnn.off"]])
def test_mxnets_options_in_every_spelling(spellings, rng):
    module = fromMxnets(Peer(rng, (7, 5), (0,)), **dict(zip(spellings, [0, 1, 1, 1], strict=True)))

    assert not module.fixScale and module.useGlobalStats


def test_mxnets_statistics_in_rs_spelling(rng):
    peer = Peer(rng, (7, 5), (0,))
    module = fromMxnet({"bn_gamma": peer.gamma, "bn_beta": peer.beta},
                       {"bn_moving.mean": peer.mean, "bn_moving.var": peer.spread}, "bn", 0)

    peer.continues(module, 1e-3, byOldWeight(0.9), gamma=1)
    assert module.name == "bn"


# Keras

@pytest.mark.parametrize("shape, axis", channelAxes)
def test_keras_axes(shape, axis, rng):
    peer = Peer(rng, shape, others(shape, axis))
    weights = [peer.gamma, peer.beta, peer.mean, peer.spread]

    peer.continues(fromKeras(weights, len(shape) - 2, axis), 1e-3, byOldWeight(0.99))


def test_keras_last_axis_is_the_channels(rng):
    peer = Peer(rng, (2, 3, 4, 5), (0, 1, 2))
    weights = [peer.gamma, peer.beta, peer.mean, peer.spread]

    peer.continues(fromKeras(weights, 2, epsilon=0.1, momentum=0.5), 0.1, byOldWeight(0.5))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_keras_leaves_out_what_is_fixed(center, scale, rng):
    peer = Peer(rng, (7, 5), (0,))
    weights = [peer.gamma] * scale + [peer.beta] * center + [peer.mean, peer.spread]
    module = fromKeras(weights, 0, center=center, scale=scale)

    peer.continues(module, 1e-3, byOldWeight(0.99), None if scale else 1, None if center else 0)

    assert list(module.vars) == ["scale"] * scale + ["bias"] * center


# PyTorch: see Compare/test_TorchBatchNorm.py for more

@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
def test_torchs_layer_goes_on(momentum, rng):
    peer = Peer(rng, (2, 3, 4, 5), (0, 2, 3))
    module = fromTorch({"net.weight": peer.gamma, "net.bias": peer.beta,
                        "net.running_mean": peer.mean, "net.running_var": peer.spread,
                        "net.num_batches_tracked": 7}, 2, "net.", eps=0.01, momentum=momentum)
    count = 7

    def average(mean, var, batch):
        nonlocal count
        count += 1
        factor = 1 / count if momentum is None else momentum
        unbiased = batch.var * batch.count / (batch.count - 1)
        return (1 - factor) * mean + factor * batch.mean, (1 - factor) * var + factor * unbiased

    peer.continues(module, 0.01, average)
    assert module.numOfProps == 10


@pytest.mark.parametrize("nd, kind", [
    (0, BatchNorm), (1, BatchNorm1D), (2, BatchNorm2D), (3, BatchNorm3D)])
def test_module_is_the_one_for_the_axes(nd, kind):
    assert type(fromTorch(torchs(), nd)) is kind
    assert type(fromKeras([np.ones(3)] * 4, nd, axis=-1 - nd)) is kind


def test_what_others_own_stays_theirs(rng):
    state = {key: np.array(value) for key, value in torchs().items()}
    before = {key: value.copy() for key, value in state.items()}
    module = fromTorch(state, 0)

    module(gpuarray.to_gpu(rng.standard_normal((4, 3)).astype(np.float32)))

    assert all(np.array_equal(state[key], before[key]) for key in state)


def test_statistics_restart_as_new_ones(rng):
    module = fromTorch(torchs(running_mean=[1, 2, 3], running_var=[4, 5, 6]), 0)

    module.resetStats()

    assert (module.mean.get() == 0).all() and (module.var.get() == 1).all()
    assert module.numOfProps == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4", np.int32, list])
def test_arrays_of_other_types_are_converted(dtype):
    values = np.array([1, 2, 3])
    values = values.tolist() if dtype is list else values.astype(dtype)

    module = fromTorch(torchs(running_mean=values), 0)

    assert module.mean.get().ravel().tolist() == [1, 2, 3] and module.mean.dtype == np.float32
