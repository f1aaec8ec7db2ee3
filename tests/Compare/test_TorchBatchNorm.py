"""Layers of PyTorch, taken over in the middle of training, beside themselves, in float64."""

import io

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.BatchNormFrom import fromTorch

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

layers = [
    (torch.nn.BatchNorm1d, (7, 5)), (torch.nn.BatchNorm1d, (4, 3, 5)),
    (torch.nn.BatchNorm2d, (2, 3, 4, 5)), (torch.nn.BatchNorm3d, (2, 3, 2, 3, 2))]


def assertClose(actual, expected):
    expected = expected.detach().numpy().ravel()
    np.testing.assert_allclose(actual.get().ravel(), expected, rtol=1e-9, atol=1e-9)


def step(peer, x, g):
    peer.zero_grad()
    data = torch.from_numpy(x).requires_grad_()
    out = peer(data)
    out.backward(torch.from_numpy(g))
    return out, data.grad


def agree(module, peer, x, g):
    out, grad = step(peer, x, g)
    assertClose(module(gpuarray.to_gpu(x)), out)
    module.backward(gpuarray.to_gpu(g))
    assertClose(module.grad, grad)
    for ours, theirs in (("scale", peer.weight), ("bias", peer.bias)):
        if theirs is not None and module.train:
            assertClose(module.getVar(ours).grad, theirs.grad)
    for ours, theirs in ((module.mean, peer.running_mean), (module.var, peer.running_var)):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assertClose(ours, theirs)
            assert module.numOfProps == peer.num_batches_tracked


@pytest.mark.parametrize("options", [
    {}, {"eps": 0.01, "momentum": 0.4}, {"momentum": None}, {"affine": False}, {"bias": False},
    {"track_running_stats": False}, {"affine": False, "track_running_stats": True}], ids=str)
@pytest.mark.parametrize("layer, shape", layers)
def test_layer_goes_on_where_it_was(layer, shape, options, rng):
    peer = layer(shape[1], **options)
    batch = lambda: rng.standard_normal((2, *shape)) * 2 + 1
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter[:] = torch.from_numpy(rng.standard_normal(shape[1]))
    for _ in range(3):
        step(peer, *batch().astype(np.float32))

    module = fromTorch(
        peer.state_dict(), len(shape) - 2, eps=peer.eps, momentum=peer.momentum,
        affine=peer.affine, trackRunningStats=peer.track_running_stats)
    module.calcMode(np.float64)
    peer.double()

    for _ in range(3):
        agree(module, peer, *batch())
    module.evalMode()
    peer.eval()
    agree(module, peer, *batch())


def test_prefix_picks_a_layer_of_a_net(rng):
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    module = fromTorch(net.state_dict(), 0, prefix="1.")
    module.calcMode(np.float64)

    agree(module, net[1].double(), *rng.standard_normal((2, 5, 3)))


def test_state_comes_from_a_file_through_torchs_own_reader(rng):
    file, peer = io.BytesIO(), torch.nn.BatchNorm1d(3)
    step(peer, *rng.standard_normal((2, 5, 3)).astype(np.float32))
    torch.save(peer.state_dict(), file)
    file.seek(0)

    module = fromTorch(torch.load(file, weights_only=True), 0)

    assertClose(module.mean, peer.running_mean)
