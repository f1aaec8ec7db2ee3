"""CUDA's words: what the threads of a warp and of a block do together."""

import numpy as np
import pytest

from minidl.Backend import SourceModule, gpuarray


def run(text, out, *args, block, grid=(1, 1), shared=0):
    SourceModule(text).get_function("run")(out, *args, block=block, grid=grid, shared=shared)
    return out.get()


@pytest.mark.parametrize("width", [32, 16, 8, 4, 2])
def test_shuffles(rng, width):
    text = """
    __global__ void run(double *out, const double *x, int width)
    {
        int i = threadIdx.x;
        double v = x[i];
        out[i] = __shfl_sync(0xffffffffu, v, 3, width);
        out[64 + i] = __shfl_up_sync(0xffffffffu, v, 3, width);
        out[128 + i] = __shfl_down_sync(0xffffffffu, v, 3, width);
        out[192 + i] = __shfl_xor_sync(0xffffffffu, v, 1, width);
        out[256 + i] = __shfl_sync(0xffffffffu, v, i * 7, width);
    }
    """
    x = rng.standard_normal(64)
    y = run(text, gpuarray.empty((5, 64), np.float64), gpuarray.to_gpu(x), np.int32(width),
            block=(64, 1, 1))
    i = np.arange(64)
    start, lane = i // width * width, i % width
    np.testing.assert_array_equal(y[0], x[start + 3 % width])
    np.testing.assert_array_equal(y[1], x[np.where(lane >= 3, i - 3, i)])
    np.testing.assert_array_equal(y[2], x[np.where(lane + 3 < width, np.minimum(i + 3, 63), i)])
    np.testing.assert_array_equal(y[3], x[i ^ 1])
    np.testing.assert_array_equal(y[4], x[start + i * 7 % width])


def test_votes(rng):
    text = """
    __global__ void run(unsigned *out, const int *x)
    {
        int i = threadIdx.x;
        out[i] = __ballot_sync(0xffffffffu, x[i] > 2);
        out[64 + i] = __any_sync(0xffffffffu, x[i] == 9);
        out[128 + i] = __all_sync(0xffffffffu, x[i] < 9);
        out[192 + i] = __match_any_sync(0xffffffffu, x[i]);
        if (i % 32 < 8)  // a part of the warp
            out[256 + i] = __ballot_sync(0xffu, x[i] > 2) + __popc(__activemask());
        else
            out[256 + i] = 0;
    }
    """
    x = rng.integers(0, 5, 64, np.int32)
    x[5] = 9
    y = run(text, gpuarray.empty((5, 64), np.uint32), gpuarray.to_gpu(x), block=(64, 1, 1))
    warps = x.reshape(2, 32)
    powers = 2 ** np.arange(32, dtype=np.uint64)
    ballot = ((warps > 2) * powers).sum(1)
    np.testing.assert_array_equal(y[0], ballot.repeat(32))
    np.testing.assert_array_equal(y[1], np.repeat([1, 0], 32))
    np.testing.assert_array_equal(y[2], np.repeat([0, 1], 32))
    same = (warps[:, :, None] == warps[:, None, :]) @ powers
    np.testing.assert_array_equal(y[3], same.ravel())
    part = np.where(np.arange(64) % 32 < 8, (ballot & 255).repeat(32) + 8, 0)
    np.testing.assert_array_equal(y[4], part)


@pytest.mark.parametrize("block", [(1, 1, 1), (50, 1, 1), (8, 8, 3), (1024, 1, 1)])
def test_barriers_that_count(rng, block):
    text = """
    __global__ void run(int *out, const int *x)
    {
        int i = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        int n = blockDim.x * blockDim.y * blockDim.z;
        out[i] = __syncthreads_count(x[i] > 0);
        out[n + i] = __syncthreads_and(x[i] < 5);
        out[2 * n + i] = __syncthreads_or(x[i] == 5);
    }
    """
    x = rng.integers(-5, 6, np.prod(block), np.int32)
    y = run(text, gpuarray.empty((3, x.size), np.int32), gpuarray.to_gpu(x), block=block)
    np.testing.assert_array_equal(y[0], (x > 0).sum())
    np.testing.assert_array_equal(y[1], (x < 5).all())
    np.testing.assert_array_equal(y[2], (x == 5).any())


def test_threads_may_leave_before_a_barrier():
    text = """
    __global__ void run(int *out, int stay)
    {
        __shared__ int values[100];
        if (threadIdx.x >= stay)
            return;
        for (int round = 0; round < 3; ++round)
        {
            values[threadIdx.x] = round * threadIdx.x;
            __syncthreads();
            out[threadIdx.x] = values[(threadIdx.x + 1) % stay];
            __syncthreads();
            if (threadIdx.x % 2 && round == 1)
                return;
            __syncwarp(__activemask());
        }
    }
    """
    y = run(text, gpuarray.zeros((100,), np.int32), np.int32(70), block=(100, 1, 1))
    np.testing.assert_array_equal(y[:70], (np.arange(70) + 1) % 70)
    np.testing.assert_array_equal(y[70:], 0)


def test_each_thread_keeps_its_own_large_array():
    text = """
    __global__ void run(float *out)
    {
        float own[256];
        for (int k = 0; k < 256; ++k)
            own[k] = threadIdx.x + k;
        __syncthreads();
        float sum = 0;
        for (int k = 0; k < 256; ++k)
            sum += own[(k * 7 + threadIdx.x) % 256];
        __syncthreads();
        out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
    }
    """
    y = run(text, gpuarray.empty((2, 1024), np.float32), block=(1024, 1, 1), grid=(2, 1))
    expected = 256 * np.arange(1024) + 255 * 128
    np.testing.assert_array_equal(y, np.stack([expected, expected]))


@pytest.mark.parametrize("dtype, name", [
    (np.int32, "int"), (np.uint32, "unsigned"), (np.uint64, "unsigned long long"),
    (np.float32, "float"), (np.float64, "double")])
def test_atomic_sums_lose_nothing(dtype, name):
    text = f"""
    __global__ void run({name} *out)
    {{
        __shared__ {name} sum;
        if (threadIdx.x == 0)
            sum = 0;
        __syncthreads();
        for (int k = 0; k < 50; ++k)
            atomicAdd(&sum, 1);
        atomicAdd(out + 1, 2);
        __syncthreads();
        if (threadIdx.x == 0)
            atomicAdd(out, sum);
    }}
    """
    y = run(text, gpuarray.zeros((2,), dtype), block=(128, 1, 1), grid=(60, 1))
    np.testing.assert_array_equal(y, [60 * 128 * 50, 60 * 128 * 2])


def test_other_atomics(rng):
    text = """
    __global__ void run(int *out, const int *x, unsigned *wraps)
    {
        int v = x[blockIdx.x * blockDim.x + threadIdx.x];
        atomicMin(out, v);
        atomicMax(out + 1, v);
        atomicSub(out + 2, v);
        atomicAnd(out + 3, v);
        atomicOr(out + 4, v);
        atomicXor(out + 5, v);
        int old = out[6];
        while (true)  // a sum by compare-and-swap
        {
            int seen = atomicCAS(out + 6, old, old + v);
            if (seen == old)
                break;
            old = seen;
        }
        atomicInc(wraps, 6);
        atomicDec(wraps + 1, 6);
        if (atomicExch(out + 7, 1) == 0)
            out[8] += 1;
    }
    """
    x = rng.integers(-10**6, 10**6, (40, 96), np.int32)
    start = np.array([10**7, -10**7, 0, -1, 0, 0, 0, 0, 0], np.int32)
    wraps = gpuarray.zeros((2,), np.uint32)
    y = run(text, gpuarray.to_gpu(start), gpuarray.to_gpu(x), wraps, block=(96, 1, 1), grid=(40, 1))
    expected = [
        x.min(), x.max(), -x.sum(), np.bitwise_and.reduce(x, None), np.bitwise_or.reduce(x, None),
        np.bitwise_xor.reduce(x, None), x.sum(), 1, 1]
    np.testing.assert_array_equal(y, np.array(expected).astype(np.int32))
    np.testing.assert_array_equal(wraps.get(), [x.size % 7, -x.size % 7])


def test_dynamic_shared_memory_at_file_scope_and_with_an_alignment():
    text = """
    extern __shared__ __align__(16) unsigned char bytes[];

    __device__ float *second(int n) { return (float *)bytes + n; }

    __global__ void run(float *out)
    {
        float *first = reinterpret_cast<float *>(bytes);
        int n = blockDim.x, i = threadIdx.x;
        first[i] = i;
        second(n)[i] = 10 * i;
        __syncthreads();
        out[blockIdx.x * n + i] = first[n - 1 - i] + second(n)[(i + 1) % n];
    }
    """
    y = run(text, gpuarray.empty((4, 77), np.float32), block=(77, 1, 1), grid=(4, 1),
            shared=77 * 8)
    i = np.arange(77)
    np.testing.assert_array_equal(y, np.tile(76 - i + 10 * ((i + 1) % 77), (4, 1)))
