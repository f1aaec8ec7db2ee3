import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Add, ModuleError


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("shape", [(3,), (4, 1, 7), (2, 3, 5, 2)])
def test_adds_arrays_and_gives_each_the_gradient(number, shape, rng):
    module, arrays = Add(), rng.standard_normal((number, *shape)).astype(np.float32)
    data = [gpuarray.to_gpu(array) for array in arrays]
    g = gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32))

    y = module(data).get()
    module.backward(g)

    np.testing.assert_allclose(y, arrays.sum(0), 1e-6, 1e-6)
    assert all(np.array_equal(each.get(), array) for each, array in zip(data, arrays, strict=True))
    assert len(module.grad) == number and all(each is g for each in module.grad)
    assert module.dataShapeFrom([shape] * number) == shape
    assert module.gradShapeFrom(shape) == [shape] * number


@pytest.mark.parametrize("shapes", [[], [(3,)], [(3,), (4,)], [(3,), (1, 3)]])
def test_refuses_arrays_of_several_shapes(shapes):
    with pytest.raises(ModuleError, match="Add: data must be a list of two arrays or more of one"):
        Add()([gpuarray.zeros(shape) for shape in shapes])


def test_refuses_a_single_array_and_another_type():
    with pytest.raises(ModuleError, match=r"of one shape, got \(3, 4\)"):
        Add()(gpuarray.zeros((3, 4)))
    with pytest.raises(ModuleError, match="expected data of dtype float32, got float64"):
        Add()([gpuarray.zeros(3), gpuarray.zeros(3, np.float64)])
