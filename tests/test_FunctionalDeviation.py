"""batchNormalization and its gradients, which take a standard deviation (rows A27 to A31)."""

import numpy as np
import pytest

from minidl import Functional
from minidl.Backend import Device
from tests.BatchNormReference import Reference, assertClose, onDevice


@pytest.mark.parametrize("shape, small", [
    ((4, 3), (1, 3)), ((4, 3, 5, 2), (1, 3, 1, 1)), ((4, 3, 5), (1, 3, 5)), ((4, 3, 5), (1, 1, 5)),
    ((4, 3, 5), (1, 1, 1)), ((4, 3, 5), (4, 1, 5)), ((4, 3), (4, 3)), ((4, 3, 5, 2), (4, 1, 5, 1))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batch_normalization_takes_the_deviation(shape, small, dtype, rng):
    x, g = rng.standard_normal((2, *shape)).astype(dtype)
    gamma, beta, mean = rng.standard_normal((3, *small)).astype(dtype)
    std = (rng.choice([-1, 1], small) * rng.uniform(0.1, 2, small)).astype(dtype)
    axes = tuple(at for at, size in enumerate(small) if size == 1)
    expected = Reference(x, axes, gamma, beta, g, mean=mean.astype(float), std=std.astype(float))
    data, grad, *arrays = onDevice(x, g, gamma, beta, mean, std)

    out, other = (Functional.batchNormalization(data, *arrays, mode=mode)
                  for mode in ("low_mem", "high_mem"))
    grads = Functional.batchNormalizationBackward(data, grad, arrays[0], *arrays[2:])

    assertClose(out, expected.out, dtype)
    np.testing.assert_allclose(out.get(), other.get(), 1e-6, 1e-6)  # A28
    names = ["grad", "scaleGrad", "biasGrad", "meanGrad", "stdGrad"]
    for name, array in zip(names, grads, strict=True):
        assertClose(array, getattr(expected, name), dtype, factor=4)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_a_deviation_whose_square_is_no_number_is_taken(size):
    x, one, zero, std = onDevice(
        *(np.full(shape, value, np.float32)
          for shape, value in [((2, 3), size), ((1, 3), 1), ((1, 3), 0), ((1, 3), 2 * size)]))
    np.testing.assert_allclose(
        Functional.batchNormalization(x, one, zero, zero, std).get(), 0.5, rtol=1e-6)


def test_low_mem_keeps_one_array_less_of_the_size_of_the_inputs(rng, monkeypatch):  # A29
    x, *arrays = onDevice(*(rng.standard_normal(shape).astype(np.float32)
                            for shape in [(64, 3, 50), *[(1, 3, 1)] * 4]))
    pool, sizes = Device.current().memoryPool, []
    allocate = pool.allocate
    monkeypatch.setattr(
        pool, "allocate", lambda nbytes: (sizes.append(nbytes), allocate(nbytes))[1])

    def bytesOf(mode):
        sizes.clear()
        Functional.batchNormalization(x, *arrays, mode=mode)
        return sum(sizes)

    assert bytesOf("low_mem") <= bytesOf("high_mem") - x.nbytes
