"""checkFinite: a training stops in the step in which there is NaN or infinity, and says where."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Containers import Parallel, Sequential
from minidl.Cost import CrossEntropy
from minidl.Handlers import Trainer
from minidl.Handlers.Finite import NotFiniteError, areFinite
from minidl.Handlers.Handler import HandlerError
from minidl.Modules import Activation, Add, BatchNorm, Dropout, Linear, Module, Replicate
from minidl.Optimizers import SGD, MomentumSGD
from tests.Handlers.Recorder import numbered, recording
from tests.Handlers.Resume import Training


class Faulty(Module):
    """Passes data and gradients, one element of which it spoils in the call of that number."""

    def __init__(self, name, forward=None, backward=None, value=np.nan):
        super().__init__(name)
        self.when, self.value, self.calls = {"data": forward, "grad": backward}, value, 0

    def spoiled(self, which, array):
        array = array.copy()
        if self.when[which] == self.calls:
            array.reshape(-1)[1:2].fill(self.value)
        return array

    def updateData(self, data):
        self.calls += 1
        self.data = self.spoiled("data", data)

    def updateGrad(self, grad):
        self.grad = self.spoiled("grad", grad)


def build(faulty):
    """A net with a shortcut and fused modules, in which `faulty` comes behind the first one."""
    block = Sequential("block").append(Linear(8, 8, name="lin")).append(BatchNorm(8, name="bn"))
    fork = Parallel("fork").append(block).append(Sequential("shortcut"))
    net = Sequential("net").append(Linear(5, 8, name="first")).append(faulty)
    net.append(Replicate(2)).append(fork).append(Add()).append(Activation("relu", name="relu"))
    return net.append(Dropout(0.1)).append(Linear(8, 3, name="last"))


def train(faulty, useGlobalState=True, **arguments):
    """(trainer, what ends the training or None)"""
    rng = np.random.default_rng(1)
    data, labels = rng.standard_normal((40, 5)).astype(np.float32), rng.integers(0, 3, 40)
    net, optimizer = build(faulty), MomentumSGD(0.1)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    trainer = Trainer(net, CrossEntropy(), optimizer, batchsize=4, checkFinite=True, **arguments)
    try:
        trainer.trainFromHost(data, labels.astype(np.int32))
    except NotFiniteError as error:
        return trainer, error
    return trainer, None


@pytest.mark.parametrize("useGlobalState", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [1, 6])
def test_a_module_whose_output_is_spoiled_is_named(batch, value, useGlobalState):
    trainer, error = train(Faulty("spy", forward=batch, value=value), useGlobalState)

    assert f"batch {batch} of 10: the output of Faulty 'spy' (net.spy) is not finite" in str(error)
    assert trainer.optimizer.t == batch - 1
    assert all(np.isfinite(var.data.get()).all() for var in trainer.module.getVarTable())


@pytest.mark.parametrize("batch", [1, 6])
def test_a_gradient_that_is_spoiled_is_named(batch):
    trainer, error = train(Faulty("spy", backward=batch))

    assert f"batch {batch} of 10: the gradient net.first." in str(error)
    assert trainer.optimizer.t == batch - 1


def test_the_error_is_named():
    class Odd(CrossEntropy):
        def calcGrad(self, pred, target):
            errors, grad = super().calcGrad(pred, target)
            return errors.fill(np.inf), grad

    trainer, _ = recording()
    trainer.cost, trainer.checkFinite = Odd(), True
    labels = gpuarray.to_gpu(np.zeros(4, np.int32))

    with pytest.raises(NotFiniteError, match="batch 1 of 1: the error is not finite"):
        trainer.train(gpuarray.to_gpu(numbered(4)), labels)


def test_data_are_named():
    trainer, _ = recording()
    trainer.checkFinite = True
    data = numbered(4)
    data[2, 1] = np.nan

    with pytest.raises(NotFiniteError, match="the data is not finite"):
        trainer.trainFromHost(data, data)


@pytest.mark.parametrize("name", ["first.W", "fork.block.bn.scale", "last.b"])
def test_a_parameter_that_was_not_finite_before_is_named(name):
    trainer, _ = train(Faulty("spy"))
    trainer.module.getVar(name).data.reshape(-1)[:1].fill(np.nan)

    with pytest.raises(NotFiniteError, match=f"batch 1 of 2: the parameter net.{name} is not fin"):
        trainer.trainFromHost(np.ones((8, 5), np.float32), np.zeros(8, np.int32))


def test_the_first_of_several_is_named():
    trainer, error = train(Faulty("spy", forward=3, backward=3))

    assert "the output of Faulty 'spy'" in str(error)
    assert isinstance(error, HandlerError) and isinstance(error, ArithmeticError)


def test_it_is_found_amid_the_batches_of_a_step():
    trainer, error = train(Faulty("spy", forward=5), accumulate=3)

    assert "batch 5 of 10" in str(error) and trainer.optimizer.t == 1


def test_a_finite_training_ends_and_gives_the_same_bits(tmp_path):
    training, digests = Training(1, tmp_path / "0"), []
    for number in (0, 1):
        training = Training(1, tmp_path / str(number))
        training.trainer.checkFinite = bool(number)
        digests.append(training.run())

    assert digests[0] == digests[1]


def test_without_it_training_goes_on():
    net, optimizer = Linear(3, 3), SGD()
    optimizer.setupOn(net)
    data = gpuarray.to_gpu(np.full((4, 3), np.nan, np.float32))

    Trainer(net, CrossEntropy(), optimizer).train(data, gpuarray.to_gpu(np.zeros(4, np.int32)))

    assert optimizer.t == 1


def test_the_last_good_file_stays(tmp_path):
    training = Training(0, tmp_path)
    training.checkpoint.every, training.checkpoint.keep = 1, 1
    training.net.insert(spy := Faulty("spy", forward=7), 3)
    assert training.trainer.checkFinite and training.trainer.accumulate == 1

    with pytest.raises(NotFiniteError, match="output of Faulty 'spy'"):
        training.run()

    assert spy.calls == 7
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000000006.hdf"]
    other = Training(0, tmp_path)
    other.checkpoint.resume()
    assert all(np.isfinite(var.data.get()).all() for var in other.net.getVarTable())


sizes = pytest.mark.parametrize("size", [1, 100, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, 100003])


@sizes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_what_is_not_finite(size, dtype, rng):
    values = [rng.standard_normal(size).astype(dtype), np.full(7, np.finfo(dtype).max, dtype)]
    values[1][3] = np.finfo(dtype).tiny / 4
    arrays = [gpuarray.to_gpu(each) for each in values]
    assert areFinite(arrays) and Vector.countNotFinite(arrays) == 0

    spoiled = rng.permutation(size)[:3]
    values[0][spoiled] = [np.nan, np.inf, -np.inf][:spoiled.size]
    arrays[0].set(values[0])

    assert Vector.countNotFinite(arrays) == spoiled.size
