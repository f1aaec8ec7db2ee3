import math

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Gelu, ModuleError

Phi = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[np.float64])


def phi(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def range32(size=4001):
    return np.linspace(-12, 12, size).astype(np.float32)


@pytest.mark.parametrize("size", [1, 7, 64, 4001, 100003])
def test_formula_holds_in_both_tails(size):
    x = range32(size)

    y = Gelu()(gpuarray.to_gpu(x)).get()

    np.testing.assert_allclose(y, x * Phi(x.astype(np.float64)), 2e-5, 1e-35)


def test_gradient_is_the_derivative_of_the_formula(rng):
    module, x = Gelu(), range32()
    g = rng.standard_normal(x.shape).astype(np.float32)

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    wide = x.astype(np.float64)
    expected = g * (Phi(wide) + wide * phi(wide))
    np.testing.assert_allclose(module.grad.get(), expected, 1e-5, 1e-6)


def test_double_precision():
    x = np.linspace(-30, 30, 1001)
    module = Gelu()
    module.calcMode(np.float64)

    y = module(gpuarray.to_gpu(x)).get()

    np.testing.assert_allclose(y, x * Phi(x), 1e-12, 1e-300)


def test_zero_large_and_nan_numbers():
    y = Gelu()(gpuarray.to_gpu(np.float32([0, 1e30, -1e30, np.inf, np.nan]))).get()

    np.testing.assert_array_equal(y, np.float32([0, 1e30, 0, np.inf, np.nan]))


def test_in_place_in_evaluation_mode_writes_over_data():
    module, x = Gelu(inplace=True), range32()
    module.evalMode()
    data = gpuarray.to_gpu(x)

    assert module(data) is data
    np.testing.assert_allclose(data.get(), x * Phi(x.astype(np.float64)), 2e-5, 1e-35)


def test_in_place_refuses_training_and_backward():
    module = Gelu(inplace=True, name="g")
    data = gpuarray.to_gpu(range32())

    with pytest.raises(ModuleError, match="Gelu 'g': using inplace flag in train mode"):
        module(data)
    assert np.array_equal(data.get(), range32())
    module.evalMode()
    module(data)
    with pytest.raises(ModuleError, match="Gelu 'g': has overwritten its input"):
        module.backward(data)
