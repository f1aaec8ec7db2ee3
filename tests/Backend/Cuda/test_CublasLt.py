"""Products through cuBLASLt's own interface, and that they are what the plain kernel gives."""

import numpy as np
import pytest

from minidl import Config
from minidl.Backend import Device, gpuarray
from minidl.Backend.Ops.MatMul import matMul

pytest.importorskip("pycuda", reason="tests PyCUDA's arrays, which make test-cuda installs")
from minidl.Backend.Cuda import CublasLt  # noqa: E402

tolerances = {"float32": 1e-5, "float64": 1e-12, "float16": 1e-2, "bfloat16": 5e-2}


@pytest.fixture(params=["library", "kernel"])
def way(request, monkeypatch):
    """Products by cuBLASLt, and by minidl's own kernel."""
    multiply = Device.current().matMul
    if request.param == "library":
        if multiply.library is None:
            pytest.skip("cuBLASLt is not installed: python -m minidl cuda-setup installs it")
    else:
        monkeypatch.setattr(multiply, "library", None)
    return request.param


def draw(rng, shape, dtype):
    return gpuarray.to_gpu(rng.uniform(-1, 1, shape).astype(dtype))


def check(out, expected, dtype, inner):
    tolerance = tolerances[np.dtype(dtype).name] * max(1, inner) ** 0.5
    np.testing.assert_allclose(out.get().astype(np.float64), expected, tolerance, tolerance)


def host(array):
    return array.get().astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, "bfloat16"])
@pytest.mark.parametrize("m, n, k", [
    (1, 1, 1), (3, 5, 7), (1, 130, 65), (64, 64, 64), (65, 63, 17), (128, 10, 33), (2, 67, 131)])
@pytest.mark.parametrize("transA", [False, True])
@pytest.mark.parametrize("transB", [False, True])
def test_products(way, dtype, m, n, k, transA, transB, rng):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    a = draw(rng, (k, m) if transA else (m, k), dtype)
    b = draw(rng, (n, k) if transB else (k, n), dtype)
    bias, relu = draw(rng, n, dtype), gpuarray.empty((m, n), dtype)
    left, right = host(a).T if transA else host(a), host(b).T if transB else host(b)
    expected = left @ right

    check(matMul(a, b, transA=transA, transB=transB), expected, dtype, k)
    out = matMul(a, b, bias=bias, relu=relu, transA=transA, transB=transB)
    check(out, expected + host(bias), dtype, k)
    check(relu, np.maximum(expected + host(bias), 0), dtype, k)

    kept = draw(rng, (m, n), dtype)
    joined = 0.5 * expected - 2 * host(kept)
    check(matMul(a, b, kept, transA=transA, transB=transB, alpha=0.5, beta=-2.0), joined, dtype, k)
    inPlace = gpuarray.empty((m, n), dtype)
    matMul(a, b, inPlace, relu=inPlace, transA=transA, transB=transB)
    check(inPlace, np.maximum(expected, 0), dtype, k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_may_lie_in_any_strides(way, dtype, rng):
    large = draw(rng, (40, 50), dtype)
    expected = host(large)
    views = [(slice(3, 20), slice(5, 22)), (slice(None, None, 2), slice(1, 21)),
             (slice(20, 0, -1), slice(0, 40, 2))]
    for view in views:
        a, b = large[view], large[view].T
        left = expected[view]
        check(matMul(a, b), left @ left.T, dtype, 50)
        out = gpuarray.zeros((40, 50), dtype)[:left.shape[0], 1:1 + left.shape[0]]
        matMul(a, b, out)
        check(out, left @ left.T, dtype, 50)


def test_no_columns_to_sum_over_give_zeros_and_the_bias(way, rng):
    bias = draw(rng, 3, np.float32)
    out = matMul(gpuarray.empty((2, 0)), gpuarray.empty((0, 3)), bias=bias)
    np.testing.assert_array_equal(out.get(), np.tile(bias.get(), (2, 1)))


def test_old_values_are_not_read_unless_asked_for(way, rng):
    a, out = draw(rng, (5, 5), np.float32), gpuarray.empty((5, 5)).fill(np.nan)
    matMul(a, a, out)
    check(out, host(a) @ host(a), np.float32, 5)


def test_factors_are_rounded_only_where_the_user_allows_it(monkeypatch):
    library = Device.current().matMul.library
    if library is None:
        pytest.skip("cuBLASLt is not installed: python -m minidl cuda-setup installs it")
    asked, plan = [], library.plan
    monkeypatch.setattr(library, "plan", lambda *args: asked.append(args[-1]) or plan(*args))
    x = gpuarray.zeros((4, 4))
    matMul(x, x)
    monkeypatch.setattr(Config, "tensorFloat32", True)
    matMul(x, x)
    assert asked == [False, True]


def test_a_product_that_the_library_has_no_algorithm_for_is_the_kernels(monkeypatch, rng):
    multiply = Device.current().matMul
    if multiply.library is None:
        pytest.skip("cuBLASLt is not installed: python -m minidl cuda-setup installs it")
    monkeypatch.setattr(CublasLt.Plan, "findAlgorithm", lambda *_: False)
    a = draw(rng, (19, 23), np.float32)
    check(matMul(a, a, transB=True), host(a) @ host(a).T, np.float32, 23)
