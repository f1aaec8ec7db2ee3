"""A training that was stopped after any step ends in the bits of one that was not."""

import json

import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Backend.Ops.Random import Generator
from minidl.Modules import BatchNorm
from tests.Handlers.Resume import (
    StopError,
    Training,
    isSlow,
    lastStep,
    resumed,
    stepsOfEpoch,
    stopped,
)
from tests.Optimizers.test_Optimizer import kinds
from tests.Processes import run
from tests.Soak import times

numbers = range(0, len(kinds), 3) if isSlow else range(len(kinds))

resumeText = """
import json, sys
from tests.Handlers.Resume import resumed
folders = json.loads(sys.argv[1])
print(json.dumps([resumed(number, folder) for number, folder in folders]))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return [Training(number, tmp_path_factory.mktemp("whole")).run() for number in numbers]


@pytest.mark.parametrize("trial", range(times(3, 20)))
def test_a_new_process_goes_on_with_the_same_bits(trial, undisturbed, tmp_path):
    stop = int(np.random.default_rng().integers(1, lastStep + 1)) if trial else stepsOfEpoch
    folders = [(number, str(tmp_path / str(number))) for number in numbers]
    for number, folder in folders:
        stopped(number, folder, stop)

    out, _ = run("", "-c", resumeText, json.dumps(folders))

    for (number, _), expected, found in zip(folders, undisturbed, json.loads(out), strict=True):
        assert found == expected, f"{kinds[number].__name__}, number {number}, step {stop}"


@pytest.mark.parametrize("number", [0, 1, 5])
def test_the_seed_is_what_the_digest_tells(number, tmp_path):
    digests = {Training(number, tmp_path / str(seed), seed).run() for seed in (1, 2)}

    assert len(digests) == 2


@pytest.mark.parametrize("number", numbers[:3])
def test_a_training_can_be_stopped_again_and_again(number, tmp_path):
    expected = Training(number, tmp_path / "whole").run()

    stopped(number, tmp_path / "run", 3)
    for stop in (4, stepsOfEpoch + 1, 3 * stepsOfEpoch):
        training = Training(number, tmp_path / "run", seed=stop)
        training.checkpoint.resume()
        with pytest.raises(StopError):
            training.run(stop)

    assert resumed(number, tmp_path / "run") == expected


def test_files_in_between_change_no_bit(tmp_path):
    expected = Training(3, tmp_path / "few").run()

    training = Training(3, tmp_path / "many")
    training.checkpoint.every = 7

    assert training.run() == expected


def test_statistics_of_normalizations_go_on(tmp_path):
    whole = Training(1, tmp_path / "whole")
    with pytest.raises(StopError):
        whole.run(12)
    stopped(1, tmp_path / "run", 10)

    training = Training(1, tmp_path / "run")
    training.checkpoint.resume()
    with pytest.raises(StopError):
        training.run(12)

    for mine, other in zip(training.net.getAllByType(BatchNorm), whole.net.getAllByType(BatchNorm),
                           strict=True):
        assert int(mine.numOfProps) == int(other.numOfProps) == 12
        assert mine.mean.get().tobytes() == other.mean.get().tobytes()
        assert mine.var.get().tobytes() == other.var.get().tobytes()


def test_the_mean_error_of_an_epoch_is_that_of_all_its_batches(tmp_path):
    errors = []
    for seed, stop in ((1, None), (1, 17), (5, None)):
        training = Training(1, tmp_path / str(stop), seed)
        if seed == 5:
            training = Training(1, tmp_path / "17", seed)
            training.checkpoint.resume()
        try:
            if stop:
                training.trainer.followers.append(lambda _, t=training, s=stop: t.stopAt(s))
            for _ in training.checkpoint.epochs(1):
                training.train()
            errors.append(training.cost.getMeanError())
        except StopError:
            pass

    assert errors[0] == errors[1]


def test_generators_of_modules_go_on(tmp_path):
    digests = []
    for stop in (None, 5):
        training = Training(4, tmp_path / str(stop))
        own = training.net.graph[7].rng = Generator(seed=7)
        try:
            digests.append(training.run(stop))
        except StopError:
            training = Training(4, tmp_path / str(stop))
            own = training.net.graph[7].rng = Generator(seed=8)
            training.checkpoint.resume()
            np.random.standard_normal(3)  # what is drawn in between does not count
            digests.append(training.run())
        assert own.position > 0

    assert digests[0] == digests[1]


def test_numpys_global_generator_goes_on(tmp_path):
    drawn = []
    for number in (1, 2):
        np.random.seed(5)
        np.random.standard_normal()  # of a pair: the other one waits
        training = Training(0, tmp_path, seed=3)
        if number == 2:
            training.checkpoint.resume()
        else:
            np.random.standard_normal()
            training.checkpoint.save()
        drawn.append((np.random.standard_normal(3).tobytes(),
                      gpuarray.globalRng.bits(5).get().tobytes(),
                      minidl.Random.shuffler.integers(9, size=5, dtype=np.uint32).tobytes()))

    assert drawn[0] == drawn[1]
