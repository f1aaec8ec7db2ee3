import itertools

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops.MatMul import matMul

sizes = [1, 2, 3, 17, 64, 255]
tolerance = {np.float32: 1e-5, np.float64: 1e-13}


def draw(rng, shape, dtype=np.float32):
    return gpuarray.to_gpu(rng.standard_normal(shape).astype(dtype))


def exact(*arrays):
    return [np.asarray(array, np.float64) for array in arrays]


def check(result, a, b, added=0.0):
    """The error of each sum is small beside the sizes of its terms."""
    a, b = exact(a, b)
    scale = np.abs(a) @ np.abs(b) + np.abs(added) + 1e-30
    error = np.abs(np.asarray(result, np.float64) - (a @ b + added)) / scale
    assert error.max(initial=0) <= tolerance[result.dtype.type]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", sizes)
def test_products_of_all_sizes_and_transpositions(m, dtype, rng):
    for n, k, transA, transB in itertools.product(sizes, sizes, (False, True), (False, True)):
        a = draw(rng, (k, m) if transA else (m, k), dtype)
        b = draw(rng, (n, k) if transB else (k, n), dtype)

        result = matMul(a, b, transA=transA, transB=transB)

        assert result.shape == (m, n) and result.dtype == dtype
        check(result, a.T if transA else a, b.T if transB else b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [
    (1, 300, 600), (2, 511, 1000), (700, 300, 257), (3, 40, 5000), (61, 1024, 203)])
def test_products_that_are_cut_into_tiles(shape, dtype, rng):
    m, k, n = shape
    a, b, bias = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype), draw(rng, n, dtype)

    check(matMul(a, b), a, b)
    check(matMul(a, b, bias=bias), a, b, exact(bias)[0])
    for transposedA, transposedB in (a.T.copy(), b), (a, b.T.copy()), (a.T.copy(), b.T.copy()):
        transA, transB = transposedA is not a, transposedB is not b
        check(matMul(transposedA, transposedB, transA=transA, transB=transB), a, b)


layouts = {
    "rows": lambda rng, m, n: draw(rng, (2 * m, n))[::2],
    "columns": lambda rng, m, n: draw(rng, (m, 2 * n))[:, ::2],
    "part": lambda rng, m, n: draw(rng, (m + 5, n + 7))[3:m + 3, 2:n + 2],
    "transposed": lambda rng, m, n: draw(rng, (n, m)).T,
    "part of transposed": lambda rng, m, n: draw(rng, (n + 3, m + 4)).T[1:m + 1, 2:n + 2],
    "turned": lambda rng, m, n: draw(rng, (m, n))[::-1, ::-1],
    "rows turned": lambda rng, m, n: draw(rng, (m, n))[::-1],
    "a column repeated": lambda rng, m, n: np.broadcast_to(draw(rng, (m, 1)), (m, n), subok=True),
    "a row repeated": lambda rng, m, n: np.broadcast_to(draw(rng, (1, n)), (m, n), subok=True),
}


@pytest.mark.parametrize("layout", layouts.values(), ids=layouts)
@pytest.mark.parametrize("m, k, n", [
    (1, 300, 200), (1, 300, 5), (2, 3, 600), (17, 33, 5), (200, 100, 300)])
def test_factors_may_have_any_layout(layout, m, k, n, rng):
    a, b = layout(rng, m, k), layout(rng, k, n)
    plainA, plainB = draw(rng, (m, k)), draw(rng, (k, n))
    turnedA, turnedB = layout(rng, k, m), layout(rng, n, k)

    check(matMul(a, plainB), a, plainB)
    check(matMul(plainA, b), plainA, b)
    check(matMul(turnedA, b, transA=True), turnedA.T, b)
    check(matMul(a, turnedB, transB=True), a, turnedB.T)
    check(matMul(turnedA, turnedB, transA=True, transB=True), turnedA.T, turnedB.T)


def test_result_may_be_a_part_of_a_larger_matrix(rng):
    for m, n in (1, 300), (5, 7), (300, 200):
        whole, a, b = draw(rng, (m + 2, n + 3)), draw(rng, (m, 40)), draw(rng, (40, n))
        before = whole.copy()

        matMul(a, b, whole[1:-1, 2:-1])

        check(whole[1:-1, 2:-1], a, b)
        before[1:-1, 2:-1] = whole[1:-1, 2:-1]
        assert (whole == before).all()


def test_result_whose_rows_are_not_contiguous_is_refused(rng):
    for out in gpuarray.zeros((5, 3)).T, gpuarray.zeros((3, 5))[::-1]:
        with pytest.raises(ValueError, match="out must have contiguous rows"):
            matMul(draw(rng, (3, 4)), draw(rng, (4, 5)), out)


@pytest.mark.parametrize("m, n", [(1, 300), (5, 7), (300, 200)])
def test_result_is_added_up_as_asked(m, n, rng):
    a, b, bias, out = draw(rng, (m, 40)), draw(rng, (40, n)), draw(rng, n), draw(rng, (m, n))
    before = out.copy()

    given = matMul(a, b, out, bias, alpha=-0.5, beta=2.0)

    assert given is out
    exactA, exactBias, exactBefore = exact(a, bias, before)
    check(out, -0.5 * exactA, b, 2 * exactBefore + exactBias)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "m, n, k", [(1, 300, 20), (5, 7, 3), (300, 200, 100), (2, 600, 0), (9, 5, 0)])
def test_old_values_do_not_matter_without_beta(m, n, k, dtype, rng):
    a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
    check(matMul(a, b, gpuarray.empty((m, n), dtype).fill(np.nan)), a, b)
    check(matMul(a, b, gpuarray.empty((m, n), dtype).fill(np.inf), alpha=0.0), 0 * a, b)


def test_sums_of_no_terms_leave_beta_and_bias(rng):
    bias, out = draw(rng, 5), draw(rng, (3, 5))
    before = out.copy()

    matMul(draw(rng, (3, 0)), draw(rng, (0, 5)), out, bias, beta=1.0)

    np.testing.assert_allclose(out, before + bias, rtol=1e-6)


@pytest.mark.parametrize("m, n", [(0, 5), (5, 0), (0, 0)])
def test_empty_results_are_made_of_empty_factors(m, n, rng):
    assert matMul(draw(rng, (m, 3)), draw(rng, (3, n))).shape == (m, n)


def test_nan_and_infinity_stay_in_their_rows_and_columns(rng):
    a, b = draw(rng, (20, 30)), draw(rng, (30, 40))
    a[3, 5] = np.nan
    a[4] = np.abs(a[4])
    b[:, 2] = np.abs(b[:, 2])
    b[7, 2] = np.inf

    result = matMul(a, b)

    assert np.isnan(result[3]).all() and result[4, 2] == np.inf
    assert np.isfinite(np.delete(np.delete(result, 3, 0), 2, 1)).all()


@pytest.mark.parametrize(
    "m, n, k", [(1, 3000, 500), (2, 600, 600), (128, 512, 784), (999, 301, 257)])
def test_same_bits_for_any_number_of_threads(m, n, k, device, rng):
    a, b, bias = draw(rng, (m, k)), draw(rng, (k, n)), draw(rng, n)
    results = []

    for threads in 1, 2, 3, 5, 1:
        device.setThreads(threads)
        results.append(matMul(a, b, bias=bias).tobytes())

    assert len(set(results)) == 1


@pytest.mark.parametrize("change, message", [
    ({"b": (5, 4)}, r"cannot multiply 2 x 3 by 5 x 4 \(from shapes \(2, 3\) and \(5, 4\)\)"),
    ({"transA": True}, r"cannot multiply 3 x 2 by 3 x 4"),
    ({"transB": True}, r"cannot multiply 2 x 3 by 4 x 3"),
    ({"out": (4, 2)}, r"out must have shape \(2, 4\), got \(4, 2\)"),
    ({"bias": (2,)}, r"bias must"),
    ({"bias": (4,), "biasDtype": np.float64}, r"dtype"),
    ({"bDtype": np.float64}, r"dtypes must be one"),
    ({"outDtype": np.float64}, r"dtypes must be one"),
    ({"a": (6,)}, r"two axes"),
    ({"b": (3, 2, 2)}, r"two axes"),
])
def test_refuses_what_does_not_fit(change, message):
    shapes = {"a": (2, 3), "b": (3, 4), "out": (2, 4), "bias": (4,)}
    arrays = {
        name: gpuarray.zeros(change.get(name, shape), change.get(name + "Dtype", np.float32))
        for name, shape in shapes.items()}
    options = {name: change[name] for name in ("transA", "transB") if name in change}

    with pytest.raises((ValueError, TypeError), match=message):
        matMul(**arrays, **options)
