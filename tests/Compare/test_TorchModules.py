"""Every module beside PyTorch: output, gradients of data and of parameters."""

import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Modules import MaxPoolND
from tests.Case import kinds
from tests.Cases import cases
from tests.Compare.Peers import functional, peers, torch
from tests.Gradients import listOf
from tests.LargeCases import largeConvs, largeMaps
from tests.ListCases import listCases

bothModes = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])


def assertClose(actual, expected, tolerance, name):
    """An error is measured by the largest number; sums that cancel are left with those of terms."""
    expected = expected.detach().numpy()
    assert actual.shape == expected.shape, name
    np.testing.assert_allclose(
        actual, expected, 0, tolerance * max(np.abs(expected).max(initial=0), 0.1), err_msg=name)


def compare(module, data, rng, tolerance):
    """`data` is an array or a list of them; PyTorch takes the same float32, and has float64."""
    arrays = [each.astype(np.float32) for each in listOf(data)]
    onDevice = [gpuarray.to_gpu(each) for each in arrays]
    tensors = [torch.from_numpy(each).double().requires_grad_() for each in arrays]
    params = {name: torch.from_numpy(var.data.get()).double().requires_grad_()
              for name, var in module.vars.items()}

    outs = listOf(module(onDevice if isinstance(data, list) else onDevice[0]))
    found = [each.get() for each in outs]  # a module in place overwrites its output with gradients
    expected = listOf(peers[type(module)](module, *tensors, **params))
    weights = [rng.standard_normal(each.shape).astype(np.float32) for each in found]
    grads = [gpuarray.to_gpu(each) for each in weights]
    module.backward(grads if isinstance(module.data, list) else grads[0], momentum=0.0)
    torch.autograd.backward(
        expected, [torch.from_numpy(each).double() for each in weights])

    for actual, peer in zip(found, expected, strict=True):
        assertClose(actual, peer, tolerance, "output")
    for at, (grad, tensor) in enumerate(zip(listOf(module.grad), tensors, strict=True)):
        assertClose(grad.get(), tensor.grad, tolerance, f"gradient of data {at}")
    for name, tensor in params.items() if module.train else ():
        peer = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        assertClose(module.getVar(name).grad.get(), peer, tolerance, f"gradient of {name}")


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")  # of grids of one row or column
@pytest.mark.parametrize("case", [*cases, *listCases, *largeMaps], ids=repr)
@bothModes
def test_computes_what_its_peer_does(case, train, rng):
    compare(case.make(rng, train), case.data(rng), rng, 1e-5)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("case", largeConvs, ids=repr)
def test_larger_convolutions_compute_what_their_peers_do(case, exact, rng, monkeypatch):
    monkeypatch.setattr(Config, "exactConvolution", exact)
    compare(case.make(rng), case.data(rng), rng, 1e-5 if exact else 1e-4)


def test_every_module_has_a_peer():
    assert set(peers) == set(kinds)


@pytest.mark.parametrize("case", [
    case for case in [*cases, *largeMaps] if issubclass(case.kind, MaxPoolND)], ids=repr)
def test_max_pools_find_the_same_places(case, rng):
    module, data = case.make(rng), case.data(rng)
    peer = getattr(functional, f"max_pool{module.nd}d")
    if any(2 * pad > size for pad, size in zip(module.pad, module.size, strict=True)):
        pytest.skip("PyTorch takes pads up to half of the window only")

    module(gpuarray.to_gpu(data))

    _, indices = peer(
        torch.from_numpy(data), module.size, module.stride, module.pad, return_indices=True)
    np.testing.assert_array_equal(module.mask.get(), indices.numpy())
