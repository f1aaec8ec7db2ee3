import hashlib

import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Cost import MSE, CrossEntropy
from minidl.Cost.Cost import CostError
from minidl.Datasets import Digits
from minidl.Handlers import Trainer, Validator
from minidl.Modules import Activation, BatchNorm, Dropout, Linear, ModuleError
from minidl.Optimizers import SGD, MomentumSGD
from tests.Handlers.Recorder import epochs, numbered, recording
from tests.Processes import run


def test_callbacks_can_ask_for_errors(rng):
    def note(trainer):
        errors.append((trainer.cost.getError(), trainer.cost.getMeanError()))

    errors, net, optimizer = [], Linear(3, 2), SGD()
    optimizer.setupOn(net)
    data, target = (rng.standard_normal((10, size)).astype(np.float32) for size in (3, 2))

    Trainer(net, MSE(), optimizer, note, batchsize=4).trainFromHost(data, target)

    batch, mean = zip(*errors, strict=True)
    assert mean[0] == pytest.approx(batch[0]) and len(errors) == 3
    assert mean[2] == pytest.approx(np.average(batch, weights=[4, 4, 2]))


def test_a_step_is_forward_cost_backward_update(rng):
    net, optimizer = Linear(3, 2, name="net"), SGD(learnRate=0.5)
    optimizer.setupOn(net)
    x, t, W = rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), net.W.get()
    net.getVar("W").grad.fill(np.nan)

    data, target = gpuarray.to_gpu(x.astype(np.float32)), gpuarray.to_gpu(t.astype(np.float32))
    Trainer(net, MSE(), optimizer).train(data, target)

    np.testing.assert_allclose(net.W.get(), W + 0.5 * x.T @ (t - x @ W) / 8, rtol=1e-5, atol=1e-6)
    assert net.data is net.grad is net.inData is None


def test_training_mode_is_set():
    trainer, module = recording()
    module.evalMode()

    epochs(trainer, numbered(4))

    assert module.train


def labelled(rng, dtype=np.int32):
    return gpuarray.to_gpu(numbered(10)), gpuarray.to_gpu(rng.integers(0, 3, 10).astype(dtype))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_labels_of_another_dtype_are_refused_by_the_cost(dtype, rng):
    trainer, _ = recording()
    trainer.cost = CrossEntropy()

    with pytest.raises(CostError, match=f"labels must be int32, got {np.dtype(dtype)}"):
        trainer.train(*labelled(rng, dtype))


def test_an_error_of_a_batch_names_the_module():
    net, optimizer = Sequential("net").append(Linear(4, 2, name="lin")), SGD()
    optimizer.setupOn(net)
    data = gpuarray.to_gpu(numbered(4))

    with pytest.raises(ModuleError, match=r"'net': module 0: Linear 'lin': data must have shape"):
        Trainer(net, MSE(), optimizer).train(data, data)


@pytest.mark.parametrize("shuffle", ["samples", "batches"])
@pytest.mark.parametrize("size", [24, 32, 27, 34])
def test_accumulated_batches_give_the_step_of_one_batch(size, shuffle, rng):
    x, t = (rng.standard_normal((size, width)).astype(np.float32) for width in (5, 3))
    nets, steps = [], []
    for batchsize, accumulate in ((4, 3), (12, 1)):
        minidl.seed(2)
        net, optimizer = Sequential().append(Linear(5, 7)).append(Activation("tanh")), SGD(0.5)
        optimizer.setupOn(net.append(Linear(7, 3)))
        trainer = Trainer(net, MSE(), optimizer, batchsize=batchsize, accumulate=accumulate,
                          shuffle=shuffle)
        for _ in range(2):
            trainer.trainFromHost(x, t, random=shuffle == "samples")
        nets.append(net)
        steps.append(optimizer.t)

    assert steps == [2 * -(-size // 12)] * 2
    for mine, other in zip(*(net.getVarTable() for net in nets), strict=True):
        np.testing.assert_allclose(mine.data.get(), other.data.get(), rtol=1e-5, atol=1e-6)


def test_shuffled_batches_count_by_their_sizes(rng):
    """Of batches with 4, 4 and 1 samples, in any order, two make a step, then one."""
    x, t = (rng.standard_normal((9, width)) for width in (3, 2))
    for seed in range(4):
        minidl.seed(seed)
        net, optimizer, seen = Linear(3, 2, name="net"), SGD(learnRate=0.5), []
        optimizer.setupOn(net)
        W, forward = net.W.get().astype(np.float64), net.updateData
        net.updateData = lambda data, f=forward, s=seen: s.append(data.get()) or f(data)
        trainer = Trainer(net, MSE(), optimizer, batchsize=4, accumulate=2, shuffle="batches")

        trainer.trainFromHost(x.astype(np.float32), t.astype(np.float32))

        order = [np.abs(x - row).sum(1).argmin() for batch in seen for row in batch]
        first = len(seen[0]) + len(seen[1])
        b = np.zeros(2)
        for rows in (order[:first], order[first:]):
            rest = (t[rows] - x[rows] @ W - b) / (2 * len(rows))
            W, b = W + 0.5 * x[rows].T @ rest, b + 0.5 * rest.sum(0)
        np.testing.assert_allclose(net.W.get(), W, rtol=1e-4, atol=1e-6)


def test_accumulate_must_be_positive():
    with pytest.raises(ValueError, match="Trainer: accumulate must be positive, got 0"):
        Trainer(Linear(3, 2), MSE(), SGD(), accumulate=0)


digitsText = """
import hashlib
from tests.Handlers.test_Trainer import trainOnDigits
net, rate = trainOnDigits(epochs=2)
print(hashlib.sha256(b"".join(var.data.get().tobytes() for var in net.getVarTable())).hexdigest())
"""


def trainOnDigits(epochs):
    """(net, its error rate on the test samples)"""
    minidl.seed(5)
    trainData, trainLabels, testData, testLabels = Digits().split()
    net = Sequential().append(Linear(64, 100)).append(BatchNorm(100)).append(Activation("relu"))
    net.append(Dropout(0.1)).append(Linear(100, 10))
    optimizer = MomentumSGD(learnRate=0.05)
    optimizer.setupOn(net, useGlobalState=True)
    trainer = Trainer(net, CrossEntropy(), optimizer, batchsize=64)

    for _ in range(epochs):
        trainer.trainFromHost(trainData.reshape(-1, 64), trainLabels)
    rate = Validator(net, CrossEntropy()).validateFromHost(testData.reshape(-1, 64), testLabels)
    return net, rate


def test_a_small_net_learns_the_digits():
    _, rate = trainOnDigits(epochs=6)

    assert 1 - rate > 0.95


def test_training_gives_the_same_bits_in_any_process_with_any_number_of_threads(device):
    device.setThreads(3)
    net, _ = trainOnDigits(epochs=2)
    expected = hashlib.sha256(
        b"".join(var.data.get().tobytes() for var in net.getVarTable())).hexdigest()

    for threads in (1, 2):
        out, _ = run(digitsText, OMP_NUM_THREADS=threads)
        assert out.strip() == expected


def test_a_steady_training_asks_the_system_for_no_memory(rng):
    net = Sequential().append(Linear(64, 100)).append(BatchNorm(100)).append(Activation("relu"))
    net.append(Dropout(0.1)).append(Linear(100, 10))
    optimizer = MomentumSGD()
    optimizer.setupOn(net, useGlobalState=True)
    trainer = Trainer(net, CrossEntropy(), optimizer, batchsize=10)
    data = gpuarray.to_gpu(rng.standard_normal((1000, 64)).astype(np.float32))
    labels = gpuarray.to_gpu(rng.integers(0, 10, 1000).astype(np.int32))

    trainer.train(data, labels)
    before = gpuarray.memoryPool.getStats()[2]
    trainer.train(data, labels)

    assert gpuarray.memoryPool.getStats()[2] == before
