import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector

sizes = pytest.mark.parametrize("size", [0, 1, 7, 64, 65, 100003])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@sizes
@dtypes
def test_fill(size, dtype):
    array = gpuarray.empty(size, dtype)

    assert Vector.fill(array, 2.5) is array
    assert (array.get() == 2.5).all()


@sizes
@dtypes
def test_addScaled(size, dtype, rng):
    a, b = (rng.standard_normal(size).astype(dtype) for _ in range(2))

    out = Vector.addScaled(gpuarray.to_gpu(a), gpuarray.to_gpu(b), alpha=0.5, beta=-3.0)

    np.testing.assert_allclose(out.get(), 0.5 * a - 3 * b, rtol=1e-5, atol=1e-5)


def test_addScaled_with_beta_zero_does_not_read_b():
    a, b = gpuarray.to_gpu(np.ones(5)), gpuarray.to_gpu(np.full(5, np.nan))

    assert (Vector.addScaled(a, b, out=b, alpha=2.0, beta=0.0).get() == 2).all()


@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (3, 64), (5, 65), (0, 4), (300, 131)])
def test_sumRows(shape, dtype, rng):
    a, sums = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[1]).astype(dtype)
    out = gpuarray.to_gpu(sums)

    assert Vector.sumRows(gpuarray.to_gpu(a), out, alpha=0.5, beta=2.0) is out

    np.testing.assert_allclose(out.get(), 0.5 * a.sum(0) + 2 * sums, rtol=1e-5, atol=1e-5)


@sizes
@dtypes
@pytest.mark.parametrize("wanted", [np.float32, np.float64])
def test_cast(size, dtype, wanted, rng):
    values = rng.standard_normal(size).astype(dtype)
    array, out = gpuarray.to_gpu(values), gpuarray.empty(size, wanted)

    made = Vector.cast(array, wanted)

    assert made.dtype == wanted and made is not array
    assert made.get().tobytes() == values.astype(wanted).tobytes()
    assert Vector.cast(array, wanted, out=out) is out
    assert out.get().tobytes() == made.get().tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("shape", [(9,), (9, 4), (9, 2, 3), (9, 0)])
def test_gather(shape, dtype, rng):
    array = (rng.standard_normal(shape) * 50).astype(np.int32).astype(dtype)
    indices = rng.integers(0, 9, 20).astype(np.int32)

    out = Vector.gather(gpuarray.to_gpu(array), gpuarray.to_gpu(indices))

    assert out.dtype == dtype and np.array_equal(out.get(), array[indices])
    assert isinstance(out, gpuarray.GPUArray)


def test_gather_takes_a_strided_array(rng):
    wide = gpuarray.to_gpu(rng.standard_normal((6, 8)).astype(np.float32))
    indices = np.array([5, 0, 3], np.int32)

    out = Vector.gather(wide[:, ::2], gpuarray.to_gpu(indices))

    assert np.array_equal(out.get(), wide.get()[indices, ::2])


@pytest.mark.parametrize("size", [1, 2, 17, 1000])
def test_sumTo_writes_the_sum_to_one_element_only(size, rng):
    values, out = rng.standard_normal(size).astype(np.float32), np.arange(5, dtype=np.float32)

    result = Vector.sumTo(gpuarray.to_gpu(values), gpuarray.to_gpu(out), 3).get()

    out[3] = values.sum(dtype=np.float64)
    np.testing.assert_allclose(result, out, rtol=1e-5, atol=1e-5)
