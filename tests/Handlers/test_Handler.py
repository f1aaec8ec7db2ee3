"""The order in which samples come, and what is refused: as a Trainer shows it."""

import h5py
import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Cost import MSE
from minidl.Handlers.Handler import mapped
from tests.Handlers.Recorder import epochs, numbered, recording


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
    def note(trainer):
        calls.append((trainer.currMacroBatch, trainer.totalMacroBatches,
                      trainer.currBatch, trainer.totalBatches))

    calls, data = [], numbered(14)
    trainer, _ = recording(onBatchFinish=note)

    trainer.trainFromHost(
        data, data, macroBatchSize=8, onMacroBatchFinish=lambda trainer: calls.append("macro"))

    assert calls == [(1, 2, 1, 2), (1, 2, 2, 2), "macro", (2, 2, 1, 2), (2, 2, 2, 2), "macro"]


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
