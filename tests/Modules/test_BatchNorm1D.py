"""The form for sequences; what all forms have in common: test_BatchNormRanks.py."""

import numpy as np

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNorm1D


def test_weights_of_vectors_serve_sequences(rng):  # P21: parameters are of the same shape
    vectors = BatchNorm(3, sscale=1, name="bn")
    vectors(gpuarray.to_gpu(rng.standard_normal((8, 3)).astype(np.float32)))
    sequences = BatchNorm1D(3, name="bn")
    sequences.load(vectors.save())
    for module in (vectors, sequences):
        module.evalMode()
    x = rng.standard_normal((4, 3, 5)).astype(np.float32)

    out = sequences(gpuarray.to_gpu(x)).get()

    rows = np.ascontiguousarray(x.transpose(0, 2, 1).reshape(20, 3))
    expected = vectors(gpuarray.to_gpu(rows)).get().reshape(4, 5, 3).transpose(0, 2, 1)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_mean_of_a_map_is_over_samples_and_places():  # T16
    x = np.array([[[0, 2, 4], [1, 1, 1]], [[6, 8, 10], [3, 3, 3]]], np.float32)
    module = BatchNorm1D(2, sscale=0)

    out = module(gpuarray.to_gpu(x)).get()

    assert (module.mean.get().ravel() == [5, 2]).all()
    np.testing.assert_allclose(module.var.get().ravel(), [14, 1.2], rtol=1e-6)
    np.testing.assert_allclose(out[0, 0], [-5, -3, -1] / np.sqrt(35 / 3 + 1e-5), rtol=1e-6)
    np.testing.assert_allclose(out[:, 1, 0], [-1, 1] / np.sqrt(1 + 1e-5), rtol=1e-6)
