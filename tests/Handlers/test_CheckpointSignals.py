"""What Ctrl-C and SIGTERM do: a file is left, and they do what they do else."""

import json
import signal
import threading

import pytest

from tests.Handlers.Resume import Training, numOfEpochs, resumed
from tests.Processes import run, start
from tests.Soak import times

handled = [signal.SIGINT, signal.SIGTERM]

trainText = """
import sys
from tests.Handlers.Resume import Training
training = Training(int(sys.argv[1]), sys.argv[2])
training.trainer.followers.append(
    lambda trainer: training.optimizer.t == 5 and print("begun", flush=True))
training.run()
print("ended")
"""


def handlers():
    return [signal.getsignal(number) for number in handled]


def signalAt(training, step, number):
    """Sends the signal to this process in the middle of that step."""
    def hook(variables):
        if training.optimizer.t == step:
            signal.raise_signal(number)
    hook.ofAll = True
    training.optimizer.addHook(hook)


def test_ctrl_c_is_a_keyboard_interrupt_after_the_batch(tmp_path):
    expected, before = Training(1, tmp_path / "whole").run(), handlers()
    training = Training(1, tmp_path / "run")
    signalAt(training, 12, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        training.run()

    assert training.optimizer.t == 12 and handlers() == before
    assert training.checkpoint.files()[-1].name == "checkpoint-000000000012.hdf"
    assert resumed(1, tmp_path / "run") == expected


def test_a_step_of_several_batches_is_not_torn(tmp_path):
    expected = Training(3, tmp_path / "whole").run()
    training = Training(3, tmp_path / "run")
    training.trainer.onBatchFinish = lambda trainer: trainer.currBatch == 5 and (
        signal.raise_signal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        training.run()

    assert training.trainer.accumulate == 2 and training.trainer.place.batch == 6
    assert resumed(3, tmp_path / "run") == expected


def test_a_second_signal_does_not_wait(tmp_path):
    training, before = Training(1, tmp_path), handlers()
    for _ in range(2):
        signalAt(training, 12, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        training.run()

    assert training.checkpoint.files() == [] and handlers() == before
    assert training.checkpoint.signal is None


def test_a_signal_between_epochs_waits_for_the_end_of_this_one(tmp_path):
    training = Training(1, tmp_path)
    training.schedule.step = lambda value: signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        training.run()

    assert training.checkpoint.epoch == 1 and training.trainer.place is None
    assert len(training.checkpoint.files()) == 1


def test_a_handler_of_the_users_is_called_and_training_goes_on(tmp_path):
    expected, calls = Training(1, tmp_path / "whole").run(), []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        training = Training(1, tmp_path / "run")
        training.checkpoint.keep = 99
        for step in (12, 20):
            signalAt(training, step, signal.SIGTERM)

        assert training.run() == expected
        assert calls == [signal.SIGTERM] * 2
        steps = [int(path.stem[11:]) for path in training.checkpoint.files()]
        assert steps == [12, 20, *(29 * epoch for epoch in range(1, numOfEpochs + 1))]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("leave", ["break", "raise", "end"])
def test_handlers_are_restored_however_the_loop_is_left(leave, tmp_path):
    training, before = Training(1, tmp_path), handlers()

    def loop():
        for _ in training.checkpoint.epochs(2):
            assert before[0] not in handlers()
            if leave == "break":
                break
            if leave == "raise":
                raise KeyError

    if leave == "raise":
        pytest.raises(KeyError, loop)
    else:
        loop()

    assert handlers() == before


def test_another_thread_leaves_signals_alone(tmp_path):
    training, before, seen = Training(1, tmp_path), handlers(), []

    def train():
        for _ in training.checkpoint.epochs(1):
            seen.append(handlers())
            training.train()

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()

    assert seen == [before] and len(training.checkpoint.files()) == 1


@pytest.mark.parametrize("number", handled)
def test_a_process_that_is_ended_leaves_a_file_to_go_on_with(number, tmp_path):
    expected = Training(2, tmp_path / "whole").run()
    process = start("", "-c", trainText, "2", str(tmp_path / "run"))
    assert process.stdout.readline() == "begun\n"

    process.send_signal(number)
    out, err = process.communicate()

    assert "ended" not in out
    assert process.returncode == -number if number == signal.SIGTERM else "KeyboardInterrupt" in err
    assert resumed(2, tmp_path / "run") == expected


interruptText = """
import json, os, random, signal, sys, threading, time
import numpy as np
from tests.Handlers.Resume import Training

number, count = int(sys.argv[1]), int(sys.argv[2])
training, other = Training(number, sys.argv[3]), Training(number, sys.argv[3])
chance, interrupted = random.Random(), 0
training.train()
for _ in range(count):
    timer = threading.Timer(chance.uniform(0, 0.06), os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        for _ in range(50):
            training.train()
    except KeyboardInterrupt:
        interrupted += 1
    timer.join()
    other.net.load(training.net.save())
    other.optimizer.load(training.optimizer.save())
    assert other.net.save() == training.net.save()
    assert other.optimizer.save() == training.optimizer.save()
    before = training.optimizer.t
    training.train()
    assert training.optimizer.t == before + 29
    assert all(np.isfinite(var.data.get()).all() for var in training.net.getVarTable())
print(json.dumps(interrupted))
"""


@pytest.mark.parametrize("number", [1, 6])
def test_ctrl_c_at_any_moment_leaves_a_net_that_saves_loads_and_trains(number, tmp_path):
    count = times(5, 100)

    out, _ = run("", "-c", interruptText, str(number), str(count), str(tmp_path))

    assert json.loads(out) > count / 2  # one that comes in a __del__ is lost
