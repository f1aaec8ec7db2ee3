"""examples/trainCnn.py, in processes of its own."""

import os
import signal
from pathlib import Path

import pytest

from minidl.Backend import Device
from tests.Datasets.Files import cifarBatches, writeMnist
from tests.Processes import run, start

path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
example = "examples/trainCnn.py"


@pytest.fixture
def fastDevice():
    if "stand-in" in Device.current().describe():
        pytest.skip("the stand-in for a GPU takes minutes for an epoch")


def lines(*arguments):
    return run("", example, *map(str, arguments), PYTHONPATH=path)[0].splitlines()


def refused(*arguments):
    """What a process says that ends with an error."""
    process = start("", example, *map(str, arguments), PYTHONPATH=path)
    out, err = process.communicate()
    assert process.returncode == 1 and "Traceback" not in err
    return err


def test_digits_are_known_and_a_file_gives_the_same_accuracy(tmp_path, fastDevice):
    net, picture = tmp_path / "net.hdf", tmp_path / "net.png"

    trained = lines("--save", net, "--plot", picture)
    loaded = lines("--load", net)

    assert float(trained[-1].removeprefix("test accuracy: ")) >= 0.985
    assert loaded[-1] == trained[-1]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_training_goes_on_where_it_was_stopped(tmp_path, fastDevice):
    run, whole = tmp_path / "run", lines("--resume", tmp_path / "whole", "--epochs", 3)
    process = start("", example, "--resume", str(run), "--epochs", "3", PYTHONPATH=path,
                    PYTHONUNBUFFERED=1)
    while not process.stdout.readline().startswith("epoch   1"):
        pass

    process.send_signal(signal.SIGINT)
    process.communicate()
    resumed = lines("--resume", run, "--epochs", 3)

    assert process.returncode != 0
    assert resumed[1].startswith(f"goes on at {run}/checkpoint-")
    epochs = [line for line in resumed if line.startswith("epoch")]
    assert 0 < len(epochs) < 3 and whole[-1 - len(epochs):] == [*epochs, resumed[-1]]


@pytest.mark.parametrize("data", ["mnist", "fashion", "cifar10"])
def test_data_sets_are_read_from_their_files(data, tmp_path, rng):
    if data == "cifar10":
        for name, content in cifarBatches(rng)[0].items():
            (tmp_path / name).write_bytes(content)
    else:
        writeMnist(tmp_path, rng)

    found = lines("--data", data, "--folder", tmp_path, "--epochs", 1, "--batch", 5,
                  "--plot", tmp_path / "net.png")

    assert any(line.startswith("epoch   1: loss ") for line in found)
    assert found[-1].startswith("test accuracy: ")


@pytest.mark.parametrize("arguments, words", [
    (("--data", "mnist"), "--data mnist needs --folder"),
    (("--data", "cifar10", "--folder", "/nowhere"), "there is no folder /nowhere"),
    (("--data", "fashion", "--folder", "/nowhere", "--download"), "put the files of Fashion-MNIST"),
    (("--load", "/nowhere/net.hdf"), "/nowhere/net.hdf"),
    (("--batch", "0"), "Trainer: batchsize must be positive, got 0"),
    (("--backend", "abacus"), "Config.backend must be auto, cuda or cpu, got abacus"),
    (("--epochs", "0", "--plot", "/nowhere/net.png"), "/nowhere/net.png"),
])
def test_what_is_missing_is_told_in_one_sentence(arguments, words):
    assert words in refused(*arguments)
