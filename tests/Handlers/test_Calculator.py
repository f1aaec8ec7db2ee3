import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Handlers import Calculator
from minidl.Modules import Dropout, Linear, Module
from tests.Handlers.Recorder import Recorder, numbered


class Halves(Module):
    """Two outputs for two inputs: a list for a list."""

    def accept(self, array, *_):
        return array

    def updateData(self, data):
        self.data = [data[0], [data[1][:, :1].copy()]]


@pytest.mark.parametrize("batchsize", [1, 7, 20, 128])
@pytest.mark.parametrize("macroBatchSize", [None, 8, 10000])
def test_gives_the_outputs_in_the_order_of_data(batchsize, macroBatchSize, rng):
    module, data = Linear(5, 3), rng.standard_normal((20, 5)).astype(np.float32)
    expected = data @ module.W.get()
    calculator = Calculator(module, batchsize=batchsize)

    if macroBatchSize is None:
        out = calculator.calc(gpuarray.to_gpu(data))
        assert isinstance(out, gpuarray.GPUArray)
    else:
        out = calculator.calcFromHost(data, macroBatchSize=macroBatchSize)
        assert type(out) is np.ndarray

    np.testing.assert_allclose(np.asarray(out), expected, rtol=1e-5, atol=1e-5)


def test_lists_in_give_lists_out():
    data = [numbered(10, width=2), numbered(10, width=3)]

    whole, (column,) = Calculator(Halves(), batchsize=4).calcFromHost(data, macroBatchSize=5)

    assert np.array_equal(whole, data[0]) and np.array_equal(column, data[1][:, :1])


def test_is_in_evaluation_mode():
    data = np.ones((10, 3), np.float32)

    assert np.array_equal(Calculator(Dropout(0.5)).calcFromHost(data), data)


def test_sees_samples_as_they_lie():
    module = Recorder()

    Calculator(module, batchsize=4).calcFromHost(numbered(10), macroBatchSize=5)

    assert module.batches == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9]]


def test_refuses_no_samples():
    with pytest.raises(ValueError, match="Calculator: there are no samples"):
        Calculator(Linear(3, 2)).calcFromHost(numbered(0))
