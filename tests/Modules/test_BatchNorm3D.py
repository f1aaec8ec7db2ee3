"""The form for volumes; what all forms have in common: test_BatchNormRanks.py."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm2D, BatchNorm3D
from tests.BatchNormReference import Reference, assertClose


@pytest.mark.parametrize("shape", [(1, 3, 3, 5, 7), (1, 3, 1, 1, 2), (2, 3, 1, 5, 1)])
def test_odd_and_flat_volumes(shape, rng):  # X9, X10
    x, g = rng.standard_normal((2, *shape))
    module = BatchNorm3D(3, sscale=0)
    module.calcMode(np.float64)

    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))

    expected = Reference(x, (0, 2, 3, 4), 1, 0, g)
    assertClose(module.data, expected.out, np.float64)
    assertClose(module.grad, expected.grad, np.float64, 4, size=expected.gradSize)


def test_a_volume_is_an_image_of_more_rows(rng):
    x = rng.standard_normal((2, 3, 4, 5, 6)).astype(np.float32)

    volume = BatchNorm3D(3, sscale=0)(gpuarray.to_gpu(x)).get()

    image = BatchNorm2D(3, sscale=0)(gpuarray.to_gpu(x.reshape(2, 3, 20, 6))).get()
    assert volume.tobytes() == image.tobytes()
