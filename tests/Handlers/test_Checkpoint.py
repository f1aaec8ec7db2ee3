"""Files, their number, and what is refused; test_CheckpointResume.py has the bits."""

import os

import h5py
import numpy as np
import pytest

from minidl import Random
from minidl.Backend import gpuarray
from minidl.GuardedFile import WeightsError
from minidl.Handlers.Checkpoint import Checkpoint, CheckpointError
from minidl.Handlers.Finite import NotFiniteError
from minidl.Handlers.Handler import HandlerError
from tests.Handlers.Recorder import numbered, recording
from tests.Handlers.Resume import StopError, Training, stopped


def small(folder, **arguments):
    """(checkpoint, what trains an epoch of three steps)"""
    trainer, _ = recording()
    data = gpuarray.to_gpu(numbered(10))
    return Checkpoint(folder, trainer, **arguments), lambda: trainer.train(data, data)


def names(folder):
    return [path.name for path in sorted(folder.iterdir())]


def test_the_newest_files_stay(tmp_path):
    checkpoint, train = small(tmp_path, keep=2)

    for _ in checkpoint.epochs(4):
        train()

    assert names(tmp_path) == ["checkpoint-000000000009.hdf", "checkpoint-000000000012.hdf"]


def test_there_is_a_file_every_so_many_steps(tmp_path):
    checkpoint, train = small(tmp_path, keep=9, every=2)

    for _ in checkpoint.epochs(3):
        train()

    assert [int(name[11:-4]) for name in names(tmp_path)] == [2, 3, 4, 6, 8, 9]


def test_epochs_are_counted_from_one_and_go_on(tmp_path):
    checkpoint, train = small(tmp_path)
    seen = []
    for epoch in checkpoint.epochs(2):
        train()
        seen.append(epoch)

    checkpoint, train = small(tmp_path)
    assert checkpoint.resume() == tmp_path / "checkpoint-000000000006.hdf"
    for epoch in checkpoint.epochs(4):
        train()
        seen.append(epoch)

    assert seen == [1, 2, 3, 4]
    assert list(checkpoint.epochs(4)) == []


def test_there_is_nothing_to_resume_in_the_beginning(tmp_path):
    checkpoint, _ = small(tmp_path / "new")

    assert checkpoint.resume() is None and not (tmp_path / "new").exists()


@pytest.mark.parametrize("byHand", [False, True])
def test_an_epoch_that_was_stopped_is_seen_to_its_end_and_nothing_twice(byHand, tmp_path):
    checkpoint, train = small(tmp_path)
    module, seen = checkpoint.trainer.module, []
    checkpoint.trainer.onBatchFinish = lambda trainer: trainer.currBatch == 2 and stop()

    def stop():
        checkpoint.save()
        raise StopError

    with pytest.raises(StopError):
        train() if byHand else [train() for _ in checkpoint.epochs(1)]
    seen += module.seen()
    checkpoint, train = small(tmp_path)
    checkpoint.resume()
    Random.shuffler.random(7)
    train() if byHand else [train() for _ in checkpoint.epochs(1)]
    seen += checkpoint.trainer.module.seen()

    assert len(seen) == 10 and sorted(seen) == list(range(10))


def test_weights_and_optimizer_can_be_loaded_alone(tmp_path):
    training, other = Training(8, tmp_path), Training(8, tmp_path, seed=5)
    with pytest.raises(StopError):
        training.run(3)
    path = tmp_path / "checkpoint-000000000003.hdf"

    other.net.load(path)
    other.optimizer.load(path, name="training")
    other.schedule.load(path, name="training")
    other.average.load(path, name="training")
    other.cost.setState(training.cost.getState())

    assert other.digest() == training.digest()


def test_a_folder_with_files_of_another_training_is_refused(tmp_path):
    checkpoint, train = small(tmp_path)
    for _ in checkpoint.epochs(1):
        train()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    checkpoint, train = small(tmp_path, every=1)
    with pytest.raises(CheckpointError, match=r"has checkpoint-000000000003.hdf, of another train"):
        for _ in checkpoint.epochs(1):
            train()

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_older_than_the_newest_is_not_gone_on_with_in_its_folder(tmp_path):
    checkpoint, train = small(tmp_path)
    for _ in checkpoint.epochs(2):
        train()

    checkpoint.load(tmp_path / "checkpoint-000000000003.hdf")

    with pytest.raises(CheckpointError, match="or of later steps"):
        checkpoint.save()


def test_there_is_no_file_amid_the_batches_of_a_step(tmp_path):
    checkpoint, train = small(tmp_path)
    checkpoint.trainer.accumulate = 2
    checkpoint.trainer.onBatchFinish = lambda trainer: checkpoint.save()

    with pytest.raises(CheckpointError, match="only where trainer.isBetweenSteps"):
        train()
    assert names(tmp_path) == []


def test_an_epoch_goes_on_with_the_same_data_only(tmp_path):
    checkpoint, train = small(tmp_path)
    checkpoint.trainer.onBatchFinish = lambda trainer: checkpoint.save()
    train()
    checkpoint, _ = small(tmp_path)
    checkpoint.resume()
    data = gpuarray.to_gpu(numbered(11))

    with pytest.raises(HandlerError, match=r"= \[10, 0, 4, 1, 1\]; got \[11, 0, 4, 1, 1\]"):
        checkpoint.trainer.train(data, data)


def test_parameters_that_are_not_finite_are_not_kept(tmp_path):
    checkpoint, train = small(tmp_path, keep=1)
    checkpoint.trainer.checkFinite = True
    for _ in checkpoint.epochs(1):
        train()
    checkpoint.trainer.module.W.fill(np.inf)

    with pytest.raises(NotFiniteError, match="the last file is checkpoint-000000000003.hdf"):
        checkpoint.save()
    assert names(tmp_path) == ["checkpoint-000000000003.hdf"]


@pytest.mark.parametrize("arguments", [dict(keep=0), dict(every=0)])
def test_numbers_must_be_positive(arguments, tmp_path):
    with pytest.raises(CheckpointError, match="keep and every must be positive"):
        small(tmp_path, **arguments)


def put(path, value):
    def change(file):
        del file[path]
        file[path] = value
    return change


def state(file, index, value):
    words = file["training.place/now"][()]
    words[index] = value
    file["training.place/now"][...] = words


refused = [
    (lambda file: file.__delitem__("training.place"), "is missing"),
    (lambda file: file.__delitem__("training.schedule/t"), "training.schedule/t is missing"),
    (lambda file: file.__delitem__("training.average/net.0.W"), "net.0.W is missing"),
    (lambda file: file.__delitem__("training.states/net.0.W.mg"), "net.0.W.mg is missing"),
    (lambda file: file.__delitem__("params/3"), "params/3"),
    (put("params/3", np.zeros(3, np.float32)), "must have shape"),
    (put("training.place/epoch", -1), "epoch holds what can never have been"),
    (put("training.place/batch", 1.5), "batch must have dtype int64"),
    (put("training.place/now", np.zeros(636, np.int64)), "now must have dtype uint64"),
    (put("training.place/now", np.zeros(635, np.uint64)), r"now must have shape \(636,\)"),
    (lambda file: state(file, 9, 625), "now holds what can never have been"),
    (lambda file: state(file, 0, 2 ** 32), "now holds what can never have been"),
    (put("training.place/generators", np.zeros((1, 3), np.uint64)), r"must have shape \(0, 3\)"),
    (put("training.place/cost", np.array([1, np.nan])), "cost holds what can never have been"),
    (put("training.attrs/beta1", 1.5), "beta1 must be below 1"),
    (put("attrs/net.1.var", np.full((1, 5, 1, 1), -1, np.float32)), "must be finite and not nega"),
]


@pytest.mark.parametrize("wrong, message", refused)
def test_a_file_that_does_not_fit_changes_nothing(wrong, message, tmp_path):
    stopped(7, tmp_path, 12)
    path, = tmp_path.iterdir()
    with h5py.File(path) as file, h5py.File(tmp_path / "wrong.hdf", "w") as copy:
        for name in file:
            file.copy(name, copy)
        wrong(copy)
    training = Training(7, tmp_path, seed=3)
    training.optimizer.t = 5
    before = training.digest(), Random.getState().tobytes(), training.checkpoint.epoch

    with pytest.raises(WeightsError, match=f"Checkpoint: cannot load .*{message}"):
        training.checkpoint.load(tmp_path / "wrong.hdf")

    assert training.trainer.resumed is None
    assert (training.digest(), Random.getState().tobytes(), training.checkpoint.epoch) == before
    training.checkpoint.load(path)
    assert training.digest() != before[0] and training.optimizer.t == 12


def test_a_file_with_a_schedule_needs_one(tmp_path):
    stopped(7, tmp_path, 3)
    training = Training(7, tmp_path)
    training.checkpoint.savers["schedule"] = None

    with pytest.raises(WeightsError, match="there is a schedule in it, but none in this"):
        training.checkpoint.resume()


def test_a_damaged_file_is_named(tmp_path):
    stopped(7, tmp_path, 3)
    path, = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(WeightsError, match=f"Checkpoint: cannot load {path}"):
        Training(7, tmp_path).checkpoint.resume()
