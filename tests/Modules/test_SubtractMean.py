"""SubtractMean, beside means over every window."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, SubtractMean

shapes = [(3, 4, 5, 7), (1, 2, 1, 3), (2, 3, 11, 1), (1, 1, 1, 1), (2, 1, 13, 17), (1, 2, 2, 2)]


def localMeans(x, size, includePad):
    half, means = size // 2, np.empty_like(x)
    for n, m, i, j in np.ndindex(x.shape):
        window = x[n, m, max(i - half, 0):i + half + 1, max(j - half, 0):j + half + 1]
        means[n, m, i, j] = window.sum() / (size ** 2 if includePad else window.size)
    return means


@pytest.mark.parametrize("shape", shapes)
@pytest.mark.parametrize("size", [3, 5, 9])
@pytest.mark.parametrize("includePad", [True, False])
def test_the_mean_of_the_window_is_taken_away(shape, size, includePad, rng):
    module, x = SubtractMean(size, includePad), rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    means = localMeans(x.astype(np.float64), size, includePad)
    np.testing.assert_allclose(module.means.get(), means, 0, 1e-6)
    np.testing.assert_allclose(y, x - means, 0, 2e-6)


def test_equal_numbers_become_zero_where_zeros_beyond_the_edges_do_not_count():
    x = gpuarray.to_gpu(np.full((2, 3, 6, 7), 2.5, np.float32))

    everywhere, inside = SubtractMean(3, includePad=False)(x).get(), SubtractMean(3)(x).get()

    np.testing.assert_allclose(everywhere, 0, atol=1e-6)
    np.testing.assert_allclose(inside[:, :, 1:-1, 1:-1], 0, atol=1e-6)
    np.testing.assert_allclose(inside[:, :, 0, 0], 2.5 * 5 / 9, rtol=1e-6)


def test_attributes_tell_the_window():
    module = SubtractMean(7)
    module(gpuarray.zeros((1, 2, 3, 4)))

    assert (module.size, module.pad) == ((7, 7), (3, 3))
    module.reset()
    assert module.means is None


@pytest.mark.parametrize("size", [0, 1, 4, -3, 2.5])
def test_refuses_other_than_odd_sizes(size):
    with pytest.raises(ModuleError, match=f"SubtractMean: size must be an odd .* 1, got {size}"):
        SubtractMean(size)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5)])
def test_refuses_other_than_images(shape):
    with pytest.raises(ModuleError, match="SubtractMean: data must have 4 axes, got shape"):
        SubtractMean()(gpuarray.zeros(shape))
