"""The form for images; what all forms have in common: test_BatchNormRanks.py."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNorm2D
from tests.BatchNormReference import Reference, assertClose


@pytest.mark.parametrize("kind, shape", [(BatchNorm, (20, 100)), (BatchNorm2D, (20, 100, 35, 45))])
def test_the_shapes_of_torchs_examples(kind, shape, rng):  # T2, T14
    x = rng.standard_normal(shape, np.float32)
    module = kind(100, sscale=0)

    out = module(gpuarray.to_gpu(x)).get()

    axes = (0, *range(2, len(shape)))
    expected = Reference(x, axes, 1)
    assert out.shape == shape
    assertClose(out, expected.out, np.float32)
    assertClose(module.mean, expected.mean, np.float32)
    assertClose(module.var, x.astype(np.float64).var(axes, ddof=1), np.float32)


def test_mean_of_a_map_is_over_samples_rows_and_columns():  # T16
    x = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    module = BatchNorm2D(2, sscale=0)

    out = module(gpuarray.to_gpu(x)).get()

    assert (module.mean.get().ravel() == [5.5, 9.5]).all()
    np.testing.assert_allclose(module.var.get().ravel(), 138 / 7, rtol=1e-6)
    np.testing.assert_allclose(out[0, :, 0, 0], -5.5 / np.sqrt(17.25 + 1e-5), rtol=1e-6)
