import hashlib

import h5py
import numpy as np
import pytest

import minidl
from minidl.Backend import Device, gpuarray
from minidl.Containers import Sequential
from minidl.Cost import MSE, CrossEntropy
from minidl.Cost.Cost import CostError
from minidl.Datasets import Digits
from minidl.Handlers import Trainer, Validator
from minidl.Handlers.Handler import mapped
from minidl.Modules import Activation, BatchNorm, Dropout, Linear, ModuleError
from minidl.Optimizers import SGD, MomentumSGD
from tests.Handlers.Recorder import Recorder, numbered
from tests.Processes import run


def recording(batchsize=4, **arguments):
    """(trainer, its module, which notes what it sees)"""
    module, optimizer = Recorder(), SGD()
    optimizer.setupOn(module)
    return Trainer(module, MSE(), optimizer, batchsize=batchsize, **arguments), module


def epochs(trainer, data, number=1, **arguments):
    """What the module sees in each of some epochs over data on the device."""
    data = gpuarray.to_gpu(data)
    return [trainer.train(data, data, **arguments) or trainer.module.seen() for _ in range(number)]


def test_every_epoch_sees_all_samples_in_another_order():
    trainer, _ = recording()

    orders = epochs(trainer, numbered(50), 3)

    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert list(range(50)) not in orders


def test_samples_part_from_their_neighbours():
    trainer, _ = recording(batchsize=10)

    order, = epochs(trainer, numbered(100))

    batches = [{sample // 10 for sample in order[start:start + 10]} for start in range(0, 100, 10)]
    assert all(len(tens) > 2 for tens in batches)


def test_labels_go_with_their_samples():
    seen = []
    trainer, _ = recording()
    trainer.cost.calcGrad = lambda pred, target: (
        seen.append((pred.get(), target.get())) or MSE().calcGrad(pred, target))

    epochs(trainer, numbered(50))

    assert len(seen) == 13 and all(np.array_equal(*pair) for pair in seen)


def test_not_random_takes_samples_as_they_lie():
    trainer, module = recording()
    data = gpuarray.to_gpu(numbered(10))

    trainer.train(data, data, random=False)

    assert module.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_shuffled_batches_stay_together():
    trainer, module = recording(shuffle="batches")
    data = gpuarray.to_gpu(numbered(50))

    trainer.train(data, data)

    whole = [list(range(start, min(start + 4, 50))) for start in range(0, 50, 4)]
    assert sorted(module.batches) == whole and module.batches != whole


def test_shuffled_batches_of_host_arrays_stay_together():
    trainer, module = recording(shuffle="batches")

    trainer.trainFromHost(numbered(50), numbered(50), macroBatchSize=12)

    whole = [list(range(start, min(start + 4, 50))) for start in range(0, 50, 4)]
    assert sorted(module.batches) == whole and module.batches != whole


@pytest.mark.parametrize("shuffle", ["samples", "batches"])
def test_seed_repeats_the_order(shuffle):
    minidl.seed(3)
    first = epochs(recording(shuffle=shuffle)[0], numbered(50), 2)
    minidl.seed(3)
    second = epochs(recording(shuffle=shuffle)[0], numbered(50), 2)
    third = epochs(recording(shuffle=shuffle)[0], numbered(50), 2)

    assert first == second != third


@pytest.mark.parametrize("macroBatchSize", [7, 8, 50, 10000])
def test_macro_batches_of_host_arrays_share_one_permutation(macroBatchSize):
    trainer, module = recording()

    orders = []
    for _ in range(2):
        trainer.trainFromHost(numbered(50), numbered(50), macroBatchSize=macroBatchSize)
        assert all(len(batch) <= min(4, macroBatchSize) for batch in module.batches)
        orders.append(module.seen())

    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1]
    first = orders[0][:macroBatchSize]
    assert macroBatchSize >= 50 or max(first) - min(first) > macroBatchSize


def test_host_arrays_come_in_the_order_of_device_arrays():
    minidl.seed(3)
    expected, = epochs(recording()[0], numbered(50))
    minidl.seed(3)
    trainer, module = recording()

    trainer.trainFromHost(numbered(50), numbered(50))

    assert module.seen() == expected


@pytest.mark.parametrize("shuffle", ["samples", "batches"])
def test_h5_datasets_are_seen_whole(shuffle, tmp_path):
    trainer, module = recording(shuffle=shuffle)
    with h5py.File(tmp_path / "data.hdf", "w") as file:
        data = file.create_dataset("data", data=numbered(50))
        orders = []
        for _ in range(2):
            trainer.trainFromHost(data, data, macroBatchSize=12)
            orders.append(module.seen())

    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] and orders[0] != list(range(50))


def test_not_random_host_data_comes_as_it_lies():
    trainer, module = recording()

    trainer.trainFromHost(numbered(10), numbered(10), macroBatchSize=5, random=False)

    assert module.batches == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9]]


def test_callbacks_tell_how_far_it_is():
    def note(each):
        calls.append((each.currMacroBatch, each.totalMacroBatches, each.currBatch, each.totalBatches))

    calls, data = [], numbered(14)
    trainer, _ = recording(onBatchFinish=note)

    trainer.trainFromHost(
        data, data, macroBatchSize=8, onMacroBatchFinish=lambda trainer: calls.append("macro"))

    assert calls == [(1, 2, 1, 2), (1, 2, 2, 2), "macro", (2, 2, 1, 2), (2, 2, 2, 2), "macro"]


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


@pytest.mark.parametrize("random", [True, False])
def test_host_arrays_are_refused_by_train(random):
    trainer, _ = recording()

    with pytest.raises(ValueError, match="Trainer: takes arrays on the device, got ndarray"):
        trainer.train(numbered(10), numbered(10), random=random)


def test_a_strided_array_is_seen_like_any_other():
    trainer, module = recording()
    wide = gpuarray.to_gpu(numbered(10, width=6))[:, ::2]

    trainer.train(wide, wide)

    assert sorted(module.seen()) == list(range(10))


@pytest.mark.parametrize("data, target, message", [
    (numbered(3), numbered(4), r"all arrays must have one length, got \[3, 4\]"),
    (numbered(0), numbered(0), "there are no samples"),
    ([], [], "got no array"),
])
@pytest.mark.parametrize("onDevice", [True, False])
def test_refuses_data_of_no_or_different_length(onDevice, data, target, message):
    trainer, module = recording()

    with pytest.raises(ValueError, match=f"Trainer: .*{message}"):
        if onDevice:
            trainer.train(mapped(gpuarray.to_gpu, data), mapped(gpuarray.to_gpu, target))
        else:
            trainer.trainFromHost(data, target)

    assert module.batches == []


@pytest.mark.parametrize("arguments, message", [
    (dict(batchsize=0), "batchsize must be positive, got 0"),
    (dict(shuffle="sample"), "shuffle must be one of samples, batches, got sample"),
])
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"Trainer: {message}"):
        recording(**arguments)


def test_refuses_macro_batches_of_nothing():
    with pytest.raises(ValueError, match="Trainer: macroBatchSize must be positive, got 0"):
        recording()[0].trainFromHost(numbered(4), numbered(4), macroBatchSize=0)


def test_an_error_of_a_batch_names_the_module():
    net, optimizer = Sequential("net").append(Linear(4, 2, name="lin")), SGD()
    optimizer.setupOn(net)
    data = gpuarray.to_gpu(numbered(4))

    with pytest.raises(ModuleError, match=r"'net': module 0: Linear 'lin': data must have shape"):
        Trainer(net, MSE(), optimizer).train(data, data)


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


def test_training_gives_the_same_bits_in_any_process_with_any_number_of_threads():
    device = Device.current()
    before = device.threads
    try:
        device.setThreads(3)
        net, _ = trainOnDigits(epochs=2)
    finally:
        device.setThreads(before)
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
