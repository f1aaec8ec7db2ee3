"""PyCUDA's idiom for the user's own kernels."""

import numpy as np
import pytest

from minidl.Backend import SourceModule, gpuarray

AXPY = """
__global__ void axpy(float *y, const float *x, float a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] += a * x[i];
}
"""


@pytest.fixture
def vectors(rng):
    return rng.standard_normal(1003, np.float32), rng.standard_normal(1003, np.float32)


@pytest.mark.parametrize("block", [1, 32, 100, 256, 1024])
def test_axpy(vectors, block):
    x, y = vectors
    result = gpuarray.to_gpu(y)
    SourceModule(AXPY).get_function("axpy")(
        result, gpuarray.to_gpu(x), np.float32(2.5), np.int32(1003),
        block=(block, 1, 1), grid=(-(-1003 // block), 1))
    np.testing.assert_allclose(result.get(), y + 2.5 * x, 1e-5, 1e-6)


def test_addresses_may_be_passed_for_arrays(vectors):
    x, y = vectors
    result, data = gpuarray.to_gpu(y), gpuarray.to_gpu(x)
    SourceModule(AXPY).get_function("axpy")(
        result.gpudata, data.gpudata, np.float32(-1), np.int32(1003),
        block=(512, 1, 1), grid=(2, 1))
    np.testing.assert_allclose(result.get(), y - x, 1e-5, 1e-6)


def test_prepared_calls(vectors):
    x, y = vectors
    result, data = gpuarray.to_gpu(y), gpuarray.to_gpu(x)
    axpy = SourceModule(AXPY).get_function("axpy")
    assert axpy.prepare("PPfi") is axpy
    arguments = result.gpudata, data.gpudata, 0.5, 1003
    axpy.prepared_call((8, 1), (128, 1, 1), *arguments)
    axpy.prepared_async_call((8, 1), (128, 1, 1), None, *arguments)
    seconds = axpy.prepared_timed_call((8, 1), (128, 1, 1), *arguments)()
    assert 0 < seconds < 10
    np.testing.assert_allclose(result.get(), y + 1.5 * x, 1e-5, 1e-5)


def test_types_may_be_prepared_as_numpys(vectors):
    x, y = vectors
    result, data = gpuarray.to_gpu(y), gpuarray.to_gpu(x)
    axpy = SourceModule(AXPY).get_function("axpy").prepare(["P", "P", np.float32, np.int32])
    axpy.prepared_call((4, 1), (256, 1, 1), result.gpudata, data.gpudata, 3, 1003)
    np.testing.assert_allclose(result.get(), y + 3 * x, 1e-5, 1e-5)


def test_a_timed_call_gives_seconds(vectors):
    x, y = map(gpuarray.to_gpu, vectors)
    seconds = SourceModule(AXPY).get_function("axpy")(
        y, x, np.float32(0), np.int32(1003), block=(256, 1, 1), grid=(4, 1), time_kernel=True)
    assert 0 < seconds < 10


def test_three_dimensions_of_grid_and_block():
    module = SourceModule("""
    __global__ void where(int *out)
    {
        unsigned x = blockIdx.x * blockDim.x + threadIdx.x;
        unsigned y = blockIdx.y * blockDim.y + threadIdx.y;
        unsigned z = blockIdx.z * blockDim.z + threadIdx.z;
        unsigned width = gridDim.x * blockDim.x, height = gridDim.y * blockDim.y;
        out[(z * height + y) * width + x] = 10000 * z + 100 * y + x;
    }
    """)
    out = gpuarray.empty((5 * 3, 4 * 7, 2 * 6), np.int32)
    module.get_function("where")(out, block=(6, 7, 3), grid=(2, 4, 5))
    z, y, x = np.indices(out.shape)
    np.testing.assert_array_equal(out.get(), 10000 * z + 100 * y + x)


def test_all_scalar_types_arrive():
    module = SourceModule("""
    __global__ void all(double *out, signed char a, unsigned char b, short c, unsigned short d,
        int e, unsigned f, long long g, unsigned long long h, float i, double j)
    {
        double values[] = {(double)a, (double)b, (double)c, (double)d, (double)e, (double)f,
            (double)g, (double)h, i, j};
        for (int k = 0; k < 10; ++k)
            out[k] = values[k];
    }
    """)
    values = [
        np.int8(-5), np.uint8(250), np.int16(-3000), np.uint16(65000), np.int32(-2**30),
        np.uint32(2**32 - 1), np.int64(-2**50), np.uint64(2**60), np.float32(1.5),
        np.float64(1 / 3)]
    out = gpuarray.empty((10,), np.float64)
    module.get_function("all")(out, *values, block=(1, 1, 1))
    np.testing.assert_array_equal(out.get(), np.array([float(v) for v in values]))


def test_structs_are_passed_by_value():
    pair = np.dtype([("count", np.int32), ("scale", np.float64)], align=True)
    module = SourceModule("""
    struct Pair { int count; double scale; };
    __global__ void apply(double *out, Pair pair, int add)
    {
        out[threadIdx.x] = pair.count * pair.scale + add;
    }
    """)
    out = gpuarray.empty((3,), np.float64)
    module.get_function("apply")(
        out, np.array((7, 0.25), pair)[()], np.int32(2), block=(3, 1, 1))
    np.testing.assert_array_equal(out.get(), np.full(3, 7 * 0.25 + 2))


def test_device_functions_know_their_thread(rng):
    module = SourceModule("""
    __device__ int index() { return blockIdx.x * blockDim.x + threadIdx.x; }
    __device__ __noinline__ float twice(float x) { return 2 * x; }
    __device__ __forceinline__ float thrice(float x) { return 3 * x; }
    __global__ void five(float *x) { int i = index(); x[i] = twice(x[i]) + thrice(x[i]); }
    """)
    values = rng.standard_normal(96, np.float32)
    x = gpuarray.to_gpu(values)
    module.get_function("five")(x, block=(32, 1, 1), grid=(3, 1))
    np.testing.assert_allclose(x.get(), 5 * values, 1e-6)


def test_globals_have_an_address_and_a_size(rng):
    module = SourceModule("""
    __constant__ float table[5] = {1, 2, 4, 8, 16};
    __device__ int counter;
    __global__ void scale(float *x) { x[threadIdx.x] *= table[threadIdx.x]; }
    __global__ void count() { atomicAdd(&counter, 1); }
    """)
    address, size = module.get_global("table")
    assert size == 20
    values = rng.standard_normal(5, np.float32)
    x = gpuarray.to_gpu(values)
    module.get_function("scale")(x, block=(5, 1, 1))
    np.testing.assert_allclose(x.get(), values * [1, 2, 4, 8, 16], 1e-6)

    # A kernel may be given the address: here one that copies.
    copy = SourceModule("""
    __global__ void copy(int *to, const int *from) { *to = *from; }
    """).get_function("copy")
    module.get_function("count")(block=(64, 1, 1), grid=(5, 1))
    address, size = module.get_global("counter")
    assert size == 4
    result = gpuarray.empty((1,), np.int32)
    copy(result, np.uintp(address), block=(1, 1, 1))
    assert result.get()[0] == 320


def test_templates_are_found_by_mangled_names(rng):
    module = SourceModule("""
    template <typename T, int factor> __device__ T scaled(T x) { return factor * x; }
    __device__ float half(float x) { return x / 2; }
    __device__ double half(double x) { return x / 2; }

    template <typename T> __global__ void work(T *x)
    {
        x[threadIdx.x] = scaled<T, 3>(half(x[threadIdx.x]));
    }
    template __global__ void work<float>(float *);
    template __global__ void work<double>(double *);

    extern "C" __global__ void plain(float *x) { x[threadIdx.x] += 1; }
    """, no_extern_c=True)
    for name, dtype in (("_Z4workIfEvPT_", np.float32), ("_Z4workIdEvPT_", np.float64)):
        values = rng.standard_normal(9).astype(dtype)
        x = gpuarray.to_gpu(values)
        module.get_function(name)(x, block=(9, 1, 1))
        np.testing.assert_allclose(x.get(), 1.5 * values, 1e-6)

    x = gpuarray.zeros((4,), np.float32)
    module.get_function("plain")(x, block=(4, 1, 1))
    np.testing.assert_array_equal(x.get(), np.ones(4))


def test_macros_conditions_and_options():
    text = """
    // __global__ void inComment(int *x) {}
    #ifndef VALUE
    #error "VALUE comes with the options"
    #endif
    #if VALUE > 5
    __global__ void large(int *x) { *x = VALUE; }
    #else
    __global__ void small(int *x) { *x = -VALUE; }
    #endif
    #define MAKE(name, what) __global__ void name(int *x) { *x = what; }
    MAKE(seven, 7)
    MAKE(length, sizeof("/* __syncthreads(); */ // \\" {"))
    """
    large = SourceModule(text, options=["-DVALUE=6", "--use_fast_math"])
    small = SourceModule(text, options=["-D", "VALUE=5"])
    x = gpuarray.empty((1,), np.int32)
    for module, name, expected in (
            (large, "large", 6), (small, "small", -5), (large, "seven", 7), (small, "length", 30)):
        module.get_function(name)(x, block=(1, 1, 1))
        assert x.get()[0] == expected, name


def test_headers_are_found(tmp_path):
    (tmp_path / "scale.h").write_text("__device__ int scale(int x) { return 3 * x; }")
    text = """
    #include <cstdint>
    #include <math.h>
    #include "scale.h"
    __global__ void run(int32_t *x) { x[threadIdx.x] = scale(threadIdx.x); }
    """
    x = gpuarray.empty((5,), np.int32)
    for factor in (3, 4):  # a changed header is noticed
        (tmp_path / "scale.h").write_text(f"__device__ int scale(int x) {{ return {factor} * x; }}")
        module = SourceModule(text, include_dirs=[str(tmp_path)])
        module.get_function("run")(x, block=(5, 1, 1))
        np.testing.assert_array_equal(x.get(), factor * np.arange(5))
