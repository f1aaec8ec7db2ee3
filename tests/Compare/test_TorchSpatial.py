"""What changes the places or neighbourhoods of maps, beside PyTorch, in float32."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Pad1D, Pad2D

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def assertClose(actual, expected):
    expected = expected.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(actual, expected, 0, 1e-5 * max(np.abs(expected).max(), 1e-3))


def passes(module, peer, shape, rng):
    """Both give the same output and input gradient."""
    x = rng.standard_normal(shape).astype(np.float32)
    data = torch.from_numpy(x).requires_grad_()
    out = peer(data)
    g = rng.standard_normal(out.shape).astype(np.float32)
    out.backward(torch.from_numpy(g))

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    assertClose(module.data.get(), out)
    assertClose(module.grad.get(), data.grad)


@pytest.mark.parametrize("module, peer, shape", [
    (Pad1D((3, 1), fillValue=0.5), torch.nn.ConstantPad1d((3, 1), 0.5), (3, 5, 7)),
    (Pad1D((2, 6), "reflect"), torch.nn.ReflectionPad1d((2, 6)), (3, 5, 7)),
    (Pad2D(2), torch.nn.ZeroPad2d(2), (2, 3, 5, 4)),
    (Pad2D((1, 2, 3, 4)), torch.nn.ZeroPad2d((3, 4, 1, 2)), (2, 3, 5, 4)),
    (Pad2D((1, 2, 3, 4), "reflect"), torch.nn.ReflectionPad2d((3, 4, 1, 2)), (2, 3, 4, 5)),
    (Pad2D(30, "reflect"), torch.nn.ReflectionPad2d(30), (5, 13, 31, 37)),
])
def test_pads(module, peer, shape, rng):
    passes(module, peer, shape, rng)
