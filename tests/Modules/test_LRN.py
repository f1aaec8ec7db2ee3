"""CrossMapLRN and MapLRN, beside sums over every window."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import CrossMapLRN, MapLRN, ModuleError

shapes = [(3, 4, 5, 7), (1, 2, 1, 3), (2, 7, 3, 1), (1, 1, 1, 1), (2, 13, 4, 2), (3, 2, 11, 5)]
options = [dict(alpha=0.3), dict(N=3, alpha=2.0, beta=1.5, K=0.5), dict(N=4, alpha=0.7),
           dict(N=1, alpha=1.0), dict(N=2, alpha=1.0, beta=0.5), dict(N=12, alpha=5.0, K=1.0)]


def around(i, N):
    """The window around place i, from (N - 1) / 2 numbers before it on."""
    start = i - (N - 1) // 2
    return slice(max(start, 0), max(start + N, 0))


def reference(x, N, alpha, beta, K, acrossMaps):
    y = np.empty_like(x)
    for n, m, i, j in np.ndindex(x.shape):
        window = x[n, around(m, N), i, j] if acrossMaps else x[n, m, around(i, N), around(j, N)]
        count = N if acrossMaps else N ** 2
        y[n, m, i, j] = x[n, m, i, j] / (K + alpha / count * (window ** 2).sum()) ** beta
    return y


@pytest.mark.parametrize("kind", [CrossMapLRN, MapLRN])
@pytest.mark.parametrize("shape", shapes)
@pytest.mark.parametrize("chosen", options, ids=str)
def test_numbers_are_divided_by_the_strength_of_their_window(kind, shape, chosen, rng):
    module, x = kind(**chosen), rng.standard_normal(shape).astype(np.float32) * 3

    y = module(gpuarray.to_gpu(x)).get()

    expected = reference(x.astype(np.float64), module.N, module.alpha, module.beta, module.K,
                         kind is CrossMapLRN)
    np.testing.assert_allclose(y, expected, 1e-5, 1e-7)


def test_defaults_are_those_of_the_paper():
    module = CrossMapLRN()

    assert (module.N, module.alpha, module.beta, module.K) == (5, 1e-4, 0.75, 2.0)


@pytest.mark.parametrize("kind", [CrossMapLRN, MapLRN])
def test_numbers_may_be_huge_or_zero(kind):
    x = np.array([0, 1e15, -1e15, 0, 3], np.float32).reshape(1, 5, 1, 1)

    y = kind(N=1, alpha=1.0, beta=0.5, K=1.0)(gpuarray.to_gpu(x)).get().ravel()

    np.testing.assert_allclose(y, [0, 1, -1, 0, 3 / np.sqrt(10)], rtol=2e-6)


@pytest.mark.parametrize("kind", [CrossMapLRN, MapLRN])
def test_reset_lets_go_of_the_strengths(kind):
    module = kind()
    module(gpuarray.zeros((1, 2, 3, 4)))

    module.reset()

    assert module.strengths is None


@pytest.mark.parametrize("make, message", [
    (lambda: CrossMapLRN(0), "CrossMapLRN: N must be a positive integer, got 0"),
    (lambda: MapLRN(2.5), "MapLRN: N must be a positive integer, got 2.5"),
    (lambda: MapLRN(K=0), r"needs finite alpha >= 0, beta and K > 0, got alpha=0.0001, beta=0.75 "
                          "and K=0"),
    (lambda: MapLRN(alpha=-1), "got alpha=-1"),
    (lambda: CrossMapLRN(beta=np.nan), "beta=nan"),
    (lambda: CrossMapLRN(alpha=np.inf), "got alpha=inf"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("kind", [CrossMapLRN, MapLRN])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5), (2, 3)])
def test_refuses_other_than_images(kind, shape):
    with pytest.raises(ModuleError, match=f"{kind.__name__}: data must have 4 axes, got shape"):
        kind()(gpuarray.zeros(shape))
