"""What the user's own kernels meet on the CPU only: its errors, its cache, its threads."""

import os
import threading
import time

import numpy as np
import pytest

from minidl.Backend import ElementwiseKernel, ReductionKernel, SourceModule, gpuarray
from minidl.Backend.Cpu import HostCompiler

AXPY = """
__global__ void axpy(float *y, const float *x, float a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] += a * x[i];
}
"""

SUM = """
__global__ void sum(float *y, const float *x, int rounds)
{
    __shared__ float values[64];
    for (int k = 0; k < rounds; ++k)
    {
        values[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
        __syncthreads();
        float sum = 0;
        for (int i = 0; i < 64; ++i)
            sum += values[i];
        __syncthreads();
        y[blockIdx.x * 64 + threadIdx.x] = sum;
    }
}
"""


def test_names_that_are_not_there():
    module = SourceModule(AXPY)
    with pytest.raises(ValueError, match="no kernel apxy; the text has axpy"):
        module.get_function("apxy")
    with pytest.raises(ValueError, match="no __device__ or __constant__ table"):
        module.get_global("table")
    with pytest.raises(ValueError, match="no kernel axpy; the text has none"):
        SourceModule("// nothing here").get_function("axpy")


def test_the_compilers_words_have_the_users_lines():
    text = "__global__ void f(int *x)\n{\n    __syncthreads();\n    *x = unknown;\n}\n"
    with pytest.raises(HostCompiler.CompilerError, match=r"kernel.cu:4:\d+: error: .*unknown"):
        SourceModule(text)
    with pytest.raises(HostCompiler.CompilerError, match="kernel.cu:2:.*nowhere.h"):
        SourceModule('\n#include "nowhere.h"\n')


def test_a_second_module_of_the_same_text_is_not_compiled(monkeypatch):
    SourceModule(AXPY)
    monkeypatch.setattr(HostCompiler, "build", None)
    start = time.perf_counter()
    function = SourceModule(AXPY).get_function("axpy")
    array = gpuarray.zeros((10,), np.float32)
    function(array, array, np.float32(1), np.int32(10), block=(10, 1, 1))
    assert time.perf_counter() - start < 0.5


def test_threads_that_wait_for_ever_are_an_error():
    module = SourceModule("""
    __global__ void divergent(int *x)
    {
        if (threadIdx.x < 16)
            __syncthreads();
        else
            x[threadIdx.x] = __shfl_sync(0xffffffffu, x[threadIdx.x], 0);
    }
    """)
    x = gpuarray.zeros((32,), np.int32)
    with pytest.raises(RuntimeError, match=(
            r"kernel divergent: block \(\d, 0, 0\): 16 threads wait at __syncthreads and 16 for")):
        module.get_function("divergent")(x, block=(32, 1, 1), grid=(4, 1))
    # What other kernels compute afterwards is not touched by it.
    checkSums(SourceModule(SUM).get_function("sum"), rounds=1)


def test_a_failed_assertion_is_an_error():
    module = SourceModule("""
    __global__ void check(const int *x)
    {
        assert(x[threadIdx.x] > 0);
    }
    """)
    x = gpuarray.to_gpu(np.array([1, 2, 0, 3], np.int32))
    with pytest.raises(RuntimeError, match=r"check: .* line 4: assertion failed: x\[threadIdx.x\]"):
        module.get_function("check")(x, block=(4, 1, 1))
    module.get_function("check")(x, block=(2, 1, 1))


def test_printf_comes_before_the_call_returns(capfd):
    SourceModule("""
    __global__ void talk(float x) { printf("thread %d of %d: %g\\n", threadIdx.x, blockDim.x, x); }
    """).get_function("talk")(np.float32(1.5), block=(2, 1, 1))
    assert capfd.readouterr().out == "thread 0 of 2: 1.5\nthread 1 of 2: 1.5\n"


def test_a_kept_text_can_be_found(capsys):
    SourceModule(AXPY, keep=True)
    folder = capsys.readouterr().out.split()[-1]
    with open(f"{folder}/kernel.cu") as file:
        assert file.read() == AXPY


def checkSums(function, rounds):
    x = np.random.default_rng().standard_normal(64 * 20).astype(np.float32)
    y = gpuarray.empty(x.shape, np.float32)
    function(y, gpuarray.to_gpu(x), np.int32(rounds), block=(64, 1, 1), grid=(20, 1))
    np.testing.assert_allclose(
        y.get().reshape(20, 64), x.reshape(20, 64).sum(1, keepdims=True).repeat(64, 1), 1e-4, 1e-4)


def test_several_threads_launch_at_once():
    function = SourceModule(SUM).get_function("sum")
    failures = []

    def work():
        try:
            for _ in range(20):
                checkSums(function, rounds=5)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_forked_child_launches_as_well():
    function = SourceModule(SUM).get_function("sum")
    checkSums(function, rounds=1)
    child = os.fork()
    if child == 0:
        try:
            checkSums(function, rounds=3)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_reductions_keep_the_order_whatever_the_number_of_threads(rng, device):
    # y = m x + c as the two halves of a number; one after the other, which does not commute.
    chain = ReductionKernel(
        np.uint64, neutral="1ull << 32", reduce_expr="after(a, b)",
        arguments="const unsigned long long *x", map_expr="x[i]", preamble="""
        __device__ unsigned long long after(unsigned long long a, unsigned long long b)
        {
            unsigned m = (unsigned)(a >> 32) * (unsigned)(b >> 32);
            return (unsigned long long)m << 32 | (unsigned)((unsigned)a * (b >> 32) + (unsigned)b);
        }""")
    x = rng.integers(0, 2**64, 70001, np.uint64) | np.uint64(1 << 32)
    m, c = 1, 0
    for value in x.tolist():
        m, c = m * (value >> 32) % 2**32, (c * (value >> 32) + value) % 2**32
    for threads in (1, 2, 3):
        device.setThreads(threads)
        assert int(chain(gpuarray.to_gpu(x)).get()) == m << 32 | c


def test_sums_are_the_same_for_any_number_of_threads(rng, device):
    total = ReductionKernel(np.float32, neutral="0", reduce_expr="a + b")
    x = gpuarray.to_gpu(rng.standard_normal(300000, np.float32))
    results = []
    for threads in (1, 2, 3):
        device.setThreads(threads)
        results.append(total(x).get())
    assert results[0] == results[1] == results[2]


def test_kernels_of_elements_refuse_what_does_not_fit():
    add = ElementwiseKernel("float *x, const float *y, float a", "x[i] += a * y[i]", name="add")
    x = gpuarray.zeros((4, 6), np.float32)
    with pytest.raises(ValueError, match=r"kernel add: arrays must have one shape, got \(4, 6\)"):
        add(x, gpuarray.zeros((24,), np.float32), 1)
    with pytest.raises(ValueError, match="kernel add: arrays must be contiguous"):
        add(x[:, ::2], x[:, 1::2], 1)
    with pytest.raises(TypeError, match="kernel add: argument 2 .* got an array of int32"):
        add(x, gpuarray.zeros((4, 6), np.int32), 1)
    with pytest.raises(TypeError, match="kernel add: argument 3 .*'one'"):
        add(x, x, "one")
    with pytest.raises(TypeError, match="kernel add: takes 3 arguments, got 2"):
        add(x, x)
    with pytest.raises(ValueError, match="kernel only: needs an array among its arguments"):
        ElementwiseKernel("float a", "a + 1", name="only")(1)
