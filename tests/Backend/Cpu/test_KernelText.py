import pytest

from minidl.Backend.Cpu.KernelText import KernelText


def read(text):
    return KernelText(text, expanded=lambda text: text)


@pytest.mark.parametrize("text, kernels", [
    ("__global__ void f() {}", [("f", ())]),
    ("__global__ void f(void) {}", [("f", ())]),
    ("extern \"C\" __global__ void f(float *x, const int n) {}", [("f", ("x", "n"))]),
    ("__global__ void __launch_bounds__(256, 2) f(float x[], int n) {}", [("f", ("x", "n"))]),
    ("static __launch_bounds__(N * (2 + 1)) __global__ void f(int n)\n{}", [("f", ("n",))]),
    ("__global__ void f(int);\n__global__ void f(int n) {}", [("f", ("n",))]),
    ("// __global__ void g() {}\n/* __global__ void h() {} */", []),
    ("const char *s = \"__global__ void g() {\";", []),
    ("template <class T, int n> __global__ void f(T *x) {}", []),
    ("template <class T> __global__ void f(T *x) {}\ntemplate __global__ void f<int>(int *);",
     [("f<int>", ("int",))]),
    ("template <> __global__ void f<float, 3>(float *x) {}", [("f<float, 3>", ("x",))]),
    ("template <class T> T g(T x) { return x; }\n__global__ void f(int *x) {}", [("f", ("x",))]),
])
def test_kernels_are_found(text, kernels):
    assert [tuple(kernel) for kernel in read(text).kernels] == kernels


@pytest.mark.parametrize("text, cooperates", [
    ("__global__ void f() { __syncthreads(); }", True),
    ("__global__ void f() { if (__any_sync(~0u, 1)) return; }", True),
    ("__device__ float g(float x) { return __shfl_xor_sync(~0u, x, 1); }", True),
    ("__global__ void f(int n) { assert(n > 0); }", True),
    ("__global__ void f() { /* __syncthreads(); */ }", False),
    ("__global__ void f() { printf(\"__syncthreads\"); }", False),
    ("__global__ void f() { int my__syncthreads, n = '\"'; /* \" */ }", False),
])
def test_texts_whose_threads_wait_for_each_other_are_known(text, cooperates):
    assert read(text).cooperates == cooperates


def test_shared_memory_is_declared_as_the_host_compiler_can_take_it():
    text = read(
        "extern __shared__ __align__(16) float a[];\n"
        "// extern __shared__ float b[];\n"
        "__global__ void f() { volatile extern __shared__ int c [ ]; static __shared__ int d[3]; }")
    assert text.dynamicShared == ["a", "c"]
    assert text.translated == (
        "extern __thread   __align__(16) float a[];\n"
        "// extern __shared__ float b[];\n"
        "__global__ void f() { volatile extern __thread   int c [ ];        __shared__ int d[3]; }")
