"""LCN, beside sums over every window."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import LCN, MapLRN, ModuleError
from tests.Gradients import checkGradients
from tests.Modules.test_SubtractMean import localMeans

shapes = [(3, 4, 5, 7), (1, 2, 1, 3), (2, 3, 11, 1), (1, 1, 1, 1), (2, 1, 13, 17), (1, 2, 2, 2)]
options = [dict(alpha=0.3), dict(N=3, alpha=2.0, beta=1.5, K=0.5), dict(N=9, alpha=5.0, K=1.0)]


def reference(x, module):
    half, y = module.N // 2, np.empty_like(x)
    means = localMeans(x, module.N, module.includePad)
    for n, m, i, j in np.ndindex(x.shape):
        window = x[n, m, max(i - half, 0):i + half + 1, max(j - half, 0):j + half + 1]
        squares = ((window - means[n, m, i, j]) ** 2).sum()
        strength = module.K + module.alpha / module.N ** 2 * squares
        y[n, m, i, j] = x[n, m, i, j] / strength ** module.beta
    return y


@pytest.mark.parametrize("shape", shapes)
@pytest.mark.parametrize("chosen", options, ids=str)
@pytest.mark.parametrize("includePad", [True, False])
def test_numbers_are_divided_by_the_spread_of_their_window(shape, chosen, includePad, rng):
    module, x = LCN(**chosen, includePad=includePad), rng.standard_normal(shape) * 3 + 1
    x = x.astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    np.testing.assert_allclose(y, reference(x.astype(np.float64), module), 1e-5, 1e-6)


@pytest.mark.parametrize("includePad", [True, False])
def test_gradient_follows_the_mean_at_the_edges(includePad, rng):
    # A large offset makes the part of the gradient that goes through the mean the largest.
    module, x = LCN(3, 5.0, 1.5, 0.5, includePad), rng.standard_normal((2, 3, 4, 5)) + 7
    checkGradients(module, x, rng)


def test_large_offset_does_not_cancel(rng):
    x = (rng.standard_normal((2, 3, 13, 11)) + 1e4).astype(np.float32)
    module = LCN(5, 1.0, 0.75, 1.0, includePad=False)

    y = module(gpuarray.to_gpu(x)).get()

    np.testing.assert_allclose(y, reference(x.astype(np.float64), module), 1e-4)


def test_data_of_local_mean_zero_are_those_of_MapLRN():
    # Stripes of 1, -1, 0 have a mean of zero over every whole window of 3 columns.
    x = np.tile(np.array([1, -1, 0], np.float32), (2, 1, 9, 5))

    contrast = LCN(3, alpha=2.0)(gpuarray.to_gpu(x)).get()[:, :, 1:-1, 1:-1]

    response = MapLRN(3, alpha=2.0)(gpuarray.to_gpu(x)).get()[:, :, 1:-1, 1:-1]
    np.testing.assert_allclose(contrast, response, rtol=1e-6)


def test_attributes_tell_the_window(rng):
    module, x = LCN(7), rng.standard_normal((1, 2, 3, 4)).astype(np.float32)
    module(gpuarray.to_gpu(x))

    assert (module.size, module.pad) == ((7, 7), (3, 3))
    np.testing.assert_allclose(module.means.get(), localMeans(x, 7, True), 0, 1e-6)
    module.reset()
    assert module.means is module.pivots is module.strengths is None


@pytest.mark.parametrize("make, message", [
    (lambda: LCN(4), "LCN: N must be odd and above 1, got 4"),
    (lambda: LCN(1), "got 1"),
    (lambda: LCN(-3), "LCN: N must be a positive integer, got -3"),
    (lambda: LCN(K=-1), "K > 0, got alpha=0.0001, beta=0.75 and K=-1"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5)])
def test_refuses_other_than_images(shape):
    with pytest.raises(ModuleError, match="LCN: data must have 4 axes, got shape"):
        LCN()(gpuarray.zeros(shape))
