import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, Reshape


@pytest.mark.parametrize("shape, wanted, expected", [
    ((6, 4), (6, 2, 2), (6, 2, 2)),
    ((6, 4), (6, -1, 2), (6, 2, 2)),
    ((6, 4), (0, 2, -1), (6, 2, 2)),
    ((6, 4), (0, 0, 1), (6, 4, 1)),
    ((2, 3, 5), (0, -1), (2, 15)),
    ((2, 3, 5), (-1,), (30,)),
    ((2, 3, 5), (0, 1, 0 + 15), (2, 1, 15)),
    ((0, 3, 5), (0, -1), (0, 15)),
    ((0, 3, 5), (-1, 5), (0, 5)),
    ((6, 0), (0, -1, 2), (6, 0, 2)),
])
def test_gives_the_shape_in_the_same_memory(shape, wanted, expected, rng):
    module, x = Reshape(wanted), rng.standard_normal(shape).astype(np.float32)
    data = gpuarray.to_gpu(x)

    y = module(data)
    module.backward(y)

    assert module.dataShapeFrom(shape) == expected
    assert np.array_equal(y.get(), x.reshape(expected))
    assert y.ptr == data.ptr and module.grad.shape == shape


@pytest.mark.parametrize("shape, wanted", [
    ((6, 4), (5, 5)), ((6, 4), (0, -1, 5)), ((6, 4), (0, 0, 2)), ((6, 4), (-1, 7)),
    ((0, 4), (0, -1, 5)),
])
def test_refuses_data_that_does_not_fit(shape, wanted):
    with pytest.raises(ModuleError, match="cannot take shape"):
        Reshape(wanted)(gpuarray.to_gpu(np.ones(shape, np.float32)))


def test_refuses_data_without_an_axis_to_copy():
    with pytest.raises(ModuleError, match=r"shape \(6,\) has no axis for each 0 of \(6, 0\)"):
        Reshape((6, 0))(gpuarray.to_gpu(np.ones(6, np.float32)))


@pytest.mark.parametrize("shape", [(-1, -1), (0, -2)])
def test_refuses_a_shape_that_means_nothing(shape):
    with pytest.raises(ModuleError, match="at most one -1, got"):
        Reshape(shape)


@pytest.mark.parametrize("shape, showWarnings, logged", [
    ((-1, 2), True, True), ((-1, 2), False, False), ((6, 2, 2), True, False),
])
def test_tells_when_the_batch_axis_changes(shape, showWarnings, logged, monkeypatch):
    lines = []
    log = lambda form, *words: lines.append(form % words)
    monkeypatch.setattr(Config.getLogger(), "warning", log)

    Reshape(shape, showWarnings, name="fold")(gpuarray.to_gpu(np.ones((6, 4), np.float32)))

    expected = ["Reshape 'fold' changes the batch axis: (6, 4) to (12, 2)"]
    assert lines == (expected if logged else [])
