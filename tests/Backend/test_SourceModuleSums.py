"""Well-known kernels for sums and running sums, against numpy."""

import numpy as np
import pytest

from minidl.Backend import SourceModule, gpuarray

SUM = """
__inline__ __device__ float warpSum(float value)
{
    for (int offset = warpSize / 2; offset > 0; offset /= 2)
        value += __shfl_down_sync(0xffffffff, value, offset);
    return value;
}

__global__ void sumBlocks(float *sums, const float *x, int n)
{
    __shared__ float sumOfWarp[32];
    int lane = threadIdx.x % warpSize, warp = threadIdx.x / warpSize;
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
        sum += x[i];
    sum = warpSum(sum);
    if (lane == 0)
        sumOfWarp[warp] = sum;
    __syncthreads();
    sum = threadIdx.x < blockDim.x / warpSize ? sumOfWarp[lane] : 0;
    if (warp == 0)
        sum = warpSum(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}
"""

SCANS = """
// Hillis and Steele: inclusive, two buffers.
__global__ void scanInclusive(int *y, const int *x)
{
    extern __shared__ int buffer[];
    int n = blockDim.x, i = threadIdx.x, out = 0;
    buffer[i] = x[blockIdx.x * n + i];
    __syncthreads();
    for (int offset = 1; offset < n; offset *= 2)
    {
        out = 1 - out;
        int from = (1 - out) * n;
        buffer[out * n + i] = buffer[from + i] + (i >= offset ? buffer[from + i - offset] : 0);
        __syncthreads();
    }
    y[blockIdx.x * n + i] = buffer[out * n + i];
}

// Blelloch: exclusive, in place, two elements a thread.
__global__ void scanExclusive(int *y, const int *x)
{
    extern __shared__ int buffer[];
    int n = 2 * blockDim.x, i = threadIdx.x, offset = 1;
    buffer[2 * i] = x[blockIdx.x * n + 2 * i];
    buffer[2 * i + 1] = x[blockIdx.x * n + 2 * i + 1];
    for (int d = n >> 1; d > 0; d >>= 1)
    {
        __syncthreads();
        if (i < d)
            buffer[offset * (2 * i + 2) - 1] += buffer[offset * (2 * i + 1) - 1];
        offset *= 2;
    }
    if (i == 0)
        buffer[n - 1] = 0;
    for (int d = 1; d < n; d *= 2)
    {
        offset >>= 1;
        __syncthreads();
        if (i < d)
        {
            int left = offset * (2 * i + 1) - 1, right = offset * (2 * i + 2) - 1;
            int kept = buffer[left];
            buffer[left] = buffer[right];
            buffer[right] += kept;
        }
    }
    __syncthreads();
    y[blockIdx.x * n + 2 * i] = buffer[2 * i];
    y[blockIdx.x * n + 2 * i + 1] = buffer[2 * i + 1];
}
"""

LAST_BLOCK = """
__device__ unsigned finished = 0;

__global__ void sumAll(float *out, volatile float *partial, const float *x, int n)
{
    __shared__ bool isLast;
    extern __shared__ float values[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    values[threadIdx.x] = i < n ? x[i] : 0;
    for (int half = blockDim.x / 2; half > 0; half /= 2)
    {
        __syncthreads();
        if (threadIdx.x < half)
            values[threadIdx.x] += values[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
    {
        partial[blockIdx.x] = values[0];
        __threadfence();
        isLast = atomicInc(&finished, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (isLast && threadIdx.x == 0)
    {
        float sum = 0;
        for (int k = 0; k < gridDim.x; ++k)
            sum += partial[k];
        *out = sum;
    }
}
"""


@pytest.mark.parametrize("block", [32, 64, 256, 1024])
@pytest.mark.parametrize("n", [1, 1000, 12345])
def test_sum_by_shuffles_and_shared_memory(rng, n, block):
    x = rng.standard_normal(n, np.float32)
    sums = gpuarray.empty((3,), np.float32)
    SourceModule(SUM).get_function("sumBlocks")(
        sums, gpuarray.to_gpu(x), np.int32(n), block=(block, 1, 1), grid=(3, 1))
    np.testing.assert_allclose(sums.get().sum(), x.sum(dtype=np.float64), 1e-4, 1e-4)


@pytest.mark.parametrize("block", [1, 33, 100, 256, 1000])
def test_inclusive_scan(rng, block):
    x = rng.integers(-99, 99, (3, block), np.int32)
    y = gpuarray.empty(x.shape, np.int32)
    SourceModule(SCANS).get_function("scanInclusive")(
        y, gpuarray.to_gpu(x), block=(block, 1, 1), grid=(3, 1), shared=8 * block)
    np.testing.assert_array_equal(y.get(), np.cumsum(x, axis=1))


@pytest.mark.parametrize("block", [1, 4, 32, 512, 1024])
def test_exclusive_scan(rng, block):
    x = rng.integers(-99, 99, (2, 2 * block), np.int32)
    y = gpuarray.empty(x.shape, np.int32)
    SourceModule(SCANS).get_function("scanExclusive")(
        y, gpuarray.to_gpu(x), block=(block, 1, 1), grid=(2, 1), shared=8 * block)
    np.testing.assert_array_equal(y.get(), np.cumsum(x, axis=1) - x)


def test_the_last_block_sums_what_the_others_left(rng):
    x = rng.standard_normal(10007, np.float32)
    out, partial = gpuarray.empty((1,), np.float32), gpuarray.empty((79,), np.float32)
    function = SourceModule(LAST_BLOCK).get_function("sumAll")
    for _ in range(3):  # the counter returns to 0
        out.fill(np.float32(np.nan))
        function(out, partial, gpuarray.to_gpu(x), np.int32(x.size),
                 block=(128, 1, 1), grid=(79, 1), shared=512)
        np.testing.assert_allclose(out.get(), x.sum(dtype=np.float64), 1e-4, 1e-4)


def test_kernels_of_one_name_have_shared_memory_of_their_own():
    def reverse(size):
        return SourceModule(f"""
        __global__ void reverse(float *x)
        {{
            __shared__ float kept[{size}];
            for (int i = threadIdx.x; i < {size}; i += blockDim.x)
                kept[i] = x[i];
            __syncthreads();
            for (int i = threadIdx.x; i < {size}; i += blockDim.x)
                x[i] = kept[{size} - 1 - i];
        }}
        """).get_function("reverse")

    for size in 16, 10000:
        values = np.arange(size, dtype=np.float32)
        x = gpuarray.to_gpu(values)
        reverse(size)(x, block=(32, 1, 1))
        np.testing.assert_array_equal(x.get(), values[::-1])
