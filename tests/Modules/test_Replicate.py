import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, Replicate


@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_passes_the_very_array_and_adds_the_gradients(times, rng):
    module = Replicate(times)
    x = gpuarray.to_gpu(rng.standard_normal((4, 3)).astype(np.float32))
    grads = rng.standard_normal((times, 4, 3)).astype(np.float32)
    given = [gpuarray.to_gpu(grad) for grad in grads]

    data = module(x)
    module.backward(given)

    assert len(data) == times and all(each is x for each in data)
    np.testing.assert_allclose(module.grad.get(), grads.sum(0), 1e-6, 1e-6)
    assert all(np.array_equal(each.get(), grad) for each, grad in zip(given, grads, strict=True))
    assert module.dataShapeFrom((4, 3)) == [(4, 3)] * times
    assert module.gradShapeFrom([(4, 3)] * times) == (4, 3)


@pytest.mark.parametrize("times", [0, -1, 2.5, None, True])
def test_refuses_a_number_that_is_no_positive_integer(times):
    with pytest.raises(ModuleError, match=f"times must be a positive integer, got {times}"):
        Replicate(times)


@pytest.mark.parametrize("shapes", [[(4, 3)], [(4, 3), (3, 4)], [(4, 3)] * 3])
def test_refuses_gradients_that_do_not_fit(shapes):
    module = Replicate(2)
    module(gpuarray.zeros((4, 3)))

    with pytest.raises(ModuleError, match=r"of the shapes \[\(4, 3\), \(4, 3\)\], got"):
        module.backward([gpuarray.zeros(shape) for shape in shapes])
