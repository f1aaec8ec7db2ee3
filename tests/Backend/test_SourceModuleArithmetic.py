"""CUDA's words for vectors, functions of numbers, and intrinsics, against numpy and Python."""

import math

import numpy as np

from minidl.Backend import SourceModule, gpuarray


def run(text, out, *args, block, grid=(1, 1), shared=0):
    SourceModule(text).get_function("run")(out, *args, block=block, grid=grid, shared=shared)
    return out.get()


def test_vectors_are_copied_whole(rng):
    text = """
    __global__ void run(float4 *out, const float4 *x, int n)
    {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n)
            return;
        float4 v = x[i];
        uchar3 c = make_uchar3(1, 2, 3);
        double2 d = make_double2(v.x, v.y);
        out[i] = make_float4(v.w, v.z, d.y * c.y, d.x * c.z);
    }
    """
    x = rng.standard_normal((333, 4), np.float32)
    y = run(text, gpuarray.empty(x.shape, np.float32), gpuarray.to_gpu(x), np.int32(333),
            block=(64, 1, 1), grid=(6, 1))
    np.testing.assert_allclose(y, x[:, ::-1] * np.float32([1, 1, 2, 3]), 1e-6)


def test_functions_of_floats(rng):
    functions = {
        "exp(x)": np.exp, "expf(x)": np.exp, "__expf(x)": np.exp, "logf(fabsf(x))":
        lambda x: np.log(np.abs(x)), "sqrt(fabs(x))": lambda x: np.sqrt(np.abs(x)),
        "rsqrtf(x * x + 1)": lambda x: (x * x + 1) ** -0.5, "tanhf(x)": np.tanh,
        "sinf(x)": np.sin, "cos(x)": np.cos, "atan2f(x, 2.0f)": lambda x: np.arctan2(x, 2),
        "powf(x, 2)": np.square, "pow(x, 2.0)": np.square, "floorf(x)": np.floor,
        "fmaf(x, 3, 1)": lambda x: 3 * x + 1, "max(x, 0.5f)": lambda x: np.maximum(x, 0.5),
        "fminf(x, 0.5f)": lambda x: np.minimum(x, 0.5), "abs(x)": np.abs, "rintf(x)": np.rint,
        "min(x, NAN)": lambda x: x, "isnan(x) ? 1 : isinf(x) ? 2 : 3": lambda x: 3 + 0 * x,
        "__fdividef(x, 3)": lambda x: x / 3, "__fmul_rn(x, 3)": lambda x: 3 * x,
        "__int_as_float(__float_as_int(x))": lambda x: x, "erff(x)": None, "tgammaf(x + 9)": None,
        "copysignf(2, x)": lambda x: np.copysign(2, x), "__float2int_rn(x * 10)":
        lambda x: np.rint(10 * x), "__float2int_rz(x * 10)": lambda x: np.trunc(10 * x),
    }
    lines = "\n".join(f"out[{k} * n + i] = {f};" for k, f in enumerate(functions))
    text = f"""
    __global__ void run(float *out, const float *in, int n)
    {{
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n)
            return;
        float x = in[i];
        {lines}
    }}
    """
    x = rng.standard_normal(1000, np.float32)
    y = run(text, gpuarray.empty((len(functions), 1000), np.float32), gpuarray.to_gpu(x),
            np.int32(1000), block=(128, 1, 1), grid=(8, 1))
    exact = {"erff(x)": math.erf, "tgammaf(x + 9)": lambda v: math.gamma(v + 9)}
    for row, (name, function) in zip(y, functions.items(), strict=True):
        expected = function(x) if function else np.array([exact[name](float(v)) for v in x])
        np.testing.assert_allclose(row, expected, 1e-4, 1e-5, err_msg=name)


def test_functions_of_whole_numbers(rng):
    functions = {
        "__popc(x)": lambda x: x.bit_count(), "__clz(x)": lambda x: 32 - x.bit_length(),
        "__ffs(x)": lambda x: (x & -x).bit_length(), "__brev(x)":
        lambda x: int(f"{x:032b}"[::-1], 2), "__umulhi(x, 0xdeadbeefu)":
        lambda x: x * 0xdeadbeef >> 32, "__mul24(x & 0xfff, 77)": lambda x: (x & 0xfff) * 77,
        "min(x, 1000u)": lambda x: min(x, 1000), "max(x, 5)": lambda x: max(x, 5),
        "__byte_perm(x, 0x01020304u, 0x5140)":
        lambda x: x & 255 | 0x0400 | (x >> 8 & 255) << 16 | 0x03000000,
        "__funnelshift_l(x, x, 5)": lambda x: (x << 5 | x >> 27) & 0xffffffff,
        "__usad(x, 7u, 1u)": lambda x: abs(x - 7) + 1, "__ldg(in + i)": lambda x: x,
    }
    lines = "\n".join(f"out[{k} * n + i] = {f};" for k, f in enumerate(functions))
    text = f"""
    __global__ void run(unsigned *out, const unsigned *in, int n)
    {{
        int i = threadIdx.x;
        unsigned x = in[i];
        {lines}
    }}
    """
    x = rng.integers(0, 2**32, 200, np.uint32) >> rng.integers(0, 32, 200, np.uint32)
    y = run(text, gpuarray.empty((len(functions), 200), np.uint32), gpuarray.to_gpu(x),
            np.int32(200), block=(200, 1, 1))
    for row, (name, function) in zip(y, functions.items(), strict=True):
        np.testing.assert_array_equal(row, [function(int(v)) for v in x], err_msg=name)
