import numpy as np
import pytest

from minidl.Backend import ReductionKernel, gpuarray

dot = ReductionKernel(
    np.float32, neutral="0", reduce_expr="a + b", map_expr="x[i] * y[i]",
    arguments="const float *x, const float *y", name="dot")
largest = ReductionKernel(np.float32, neutral="-INFINITY", reduce_expr="max(a, b)")

sizes = [1, 2, 255, 256, 257, 10007, 300000]


@pytest.mark.parametrize("size", sizes)
def test_dot_product(rng, size):
    x, y = rng.standard_normal(size, np.float32), rng.standard_normal(size, np.float32)
    result = dot(gpuarray.to_gpu(x), gpuarray.to_gpu(y))
    assert result.shape == () and result.dtype == np.float32
    expected = np.dot(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(result.get(), expected, 1e-4, 1e-6 * size)


@pytest.mark.parametrize("size", sizes)
def test_largest_of_the_one_array(rng, size):
    x = rng.standard_normal(size, np.float32) - 10
    assert largest(gpuarray.to_gpu(x)).get() == x.max()


def test_arguments_may_be_numbers_and_the_result_of_another_type(rng):
    countAbove = ReductionKernel(
        np.int64, neutral="0", reduce_expr="a + b", map_expr="x[i] > limit ? 1 : 0",
        arguments="const double *x, double limit")
    x = rng.standard_normal((57, 91))
    assert countAbove(gpuarray.to_gpu(x), 0.5).get() == (x > 0.5).sum()


def test_preamble(rng):
    kernel = ReductionKernel(
        np.uint32, neutral="0", reduce_expr="a ^ b", map_expr="mixed(x[i])",
        arguments="const unsigned *x",
        preamble="__device__ unsigned mixed(unsigned x) { return x * 2654435761u; }")
    x = rng.integers(0, 2**32, 5000, np.uint32)
    expected = np.bitwise_xor.reduce(x * np.uint32(2654435761))
    assert kernel(gpuarray.to_gpu(x)).get() == expected


def test_no_elements_give_the_neutral_one():
    empty = gpuarray.empty((0,), np.float32)
    assert dot(empty, empty).get() == 0
    assert largest(empty).get() == -np.inf


def test_the_result_may_have_a_place_of_its_own(rng):
    x = gpuarray.to_gpu(rng.standard_normal(100, np.float32))
    out = gpuarray.empty((), np.float32)
    largest(x, out=out)
    assert out.get() == x.get().max()


def test_a_part_of_the_array(rng):
    x = rng.standard_normal(1000, np.float32)
    assert largest(gpuarray.to_gpu(x), slice=slice(100, 900, 3)).get() == x[100:900:3].max()
