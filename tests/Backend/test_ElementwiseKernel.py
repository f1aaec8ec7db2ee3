import numpy as np
import pytest

from minidl.Backend import ElementwiseKernel, gpuarray

combine = ElementwiseKernel(
    "float a, const float *x, float b, const float *y, float *z", "z[i] = a * x[i] + b * y[i]",
    name="combine")


@pytest.mark.parametrize("shape", [(1,), (1003,), (7, 11, 13), (300, 301)])
def test_linear_combination(rng, shape):
    x, y = rng.standard_normal(shape, np.float32), rng.standard_normal(shape, np.float32)
    z = gpuarray.empty(shape, np.float32)
    combine(5, gpuarray.to_gpu(x), np.float32(-0.25), gpuarray.to_gpu(y), z)
    np.testing.assert_allclose(z.get(), 5 * x - 0.25 * y, 1e-5, 1e-5)


def test_several_types_in_one_kernel(rng):
    kernel = ElementwiseKernel(
        "int *count, double *y, const unsigned char *mask, long long add",
        "if (mask[i]) { count[i] += 1; y[i] = sqrt(y[i]) + add + i; }")
    mask = rng.integers(0, 2, 500).astype(np.uint8)
    count, y = rng.integers(0, 9, 500).astype(np.int32), rng.random(500)
    onCount, onY = gpuarray.to_gpu(count), gpuarray.to_gpu(y)
    kernel(onCount, onY, gpuarray.to_gpu(mask), 2**40)
    np.testing.assert_array_equal(onCount.get(), count + mask)
    np.testing.assert_allclose(
        onY.get(), np.where(mask, np.sqrt(y) + 2.0**40 + np.arange(500), y), 1e-12)


def test_the_operation_knows_its_place(rng):
    reverse = ElementwiseKernel("const float *x, float *y", "y[i] = x[n - 1 - i]")
    x = rng.standard_normal(777, np.float32)
    y = gpuarray.empty(x.shape, np.float32)
    reverse(gpuarray.to_gpu(x), y)
    np.testing.assert_array_equal(y.get(), x[::-1])


def test_preamble_and_statements_around_the_loop(rng):
    kernel = ElementwiseKernel(
        "const float *x, float *y, int *threads", "y[i] = half(x[i]) * scale", name="halves",
        preamble="__device__ float half(float x) { return x / 2; }",
        loop_prep="float scale = 6", after_loop="atomicAdd(threads, 1)")
    x = rng.standard_normal(40000, np.float32)
    y, threads = gpuarray.empty(x.shape, np.float32), gpuarray.zeros(x.shape, np.int32)
    kernel(gpuarray.to_gpu(x), y, threads)
    np.testing.assert_allclose(y.get(), 3 * x, 1e-6)
    assert threads.get()[0] >= 1


@pytest.mark.parametrize("where, chosen", [
    ({"range": slice(5, 50)}, slice(5, 50)),
    ({"range": slice(3, 90, 7)}, slice(3, 90, 7)),
    ({"slice": slice(-20, None)}, slice(-20, None)),
    ({"slice": slice(None, -10, 4)}, slice(None, -10, 4)),
    ({"slice": slice(60, 60)}, slice(60, 60)),
])
def test_parts_of_the_arrays(rng, where, chosen):
    x, y = rng.standard_normal(100, np.float32), rng.standard_normal(100, np.float32)
    z = gpuarray.zeros((100,), np.float32)
    combine(2, gpuarray.to_gpu(x), 3, gpuarray.to_gpu(y), z, **where)
    expected = np.zeros(100, np.float32)
    expected[chosen] = (2 * x + 3 * y)[chosen]
    np.testing.assert_allclose(z.get(), expected, 1e-5, 1e-5)


def test_no_elements_are_no_work():
    empty = gpuarray.empty((0,), np.float32)
    combine(1, empty, 2, empty, gpuarray.empty((0,), np.float32))
