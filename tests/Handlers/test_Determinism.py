"""One seed gives the same bits in any process, with any hashes and any number of threads."""

import threading

import numpy as np
import pytest

import minidl
from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Handlers import Calculator, Trainer
from minidl.Models.Nets import loadBatchNormCnn
from minidl.Modules import Activation, BatchNorm, Dropout, Flatten, Linear
from minidl.Optimizers import Adam
from tests.Processes import run
from tests.Soak import times

digestText = """
from tests.Handlers.test_Determinism import digests
print(*digests())
"""


def mlp():
    net = Sequential("mlp").append(Flatten()).append(Linear(64, 40)).append(BatchNorm(40))
    return net.append(Activation("relu")).append(Dropout(0.2)).append(Linear(40, 10))


def cnn():
    return loadBatchNormCnn(name="cnn", inmaps=1, size=8, maps=(8, 16))


def digests(steps=50):
    """Of a perceptron and a convolutional net after 50 steps"""
    import hashlib

    found = []
    for build in (mlp, cnn):
        minidl.seed(11)
        net, optimizer = build(), Adam(1e-2)
        optimizer.setupOn(net, useGlobalState=True)
        rng = np.random.default_rng(3)
        data = rng.standard_normal((steps * 8, 1, 8, 8)).astype(np.float32)
        labels = rng.integers(0, 10, len(data)).astype(np.int32)
        Trainer(net, CrossEntropy(), optimizer, batchsize=8).trainFromHost(data, labels)
        assert optimizer.t == steps
        arrays = [var.data for var in net.getVarTable()] + [*optimizer.stateArrays().values()]
        values = b"".join(array.get().tobytes() for array in arrays)
        found.append(hashlib.sha256(values).hexdigest())
    return found


@pytest.mark.parametrize("hashSeed, threads", [
    (hashSeed, threads) for hashSeed in range(5)
    for threads in times((1 + hashSeed % 2,), (1, 2))])
def test_the_same_bits_for_all_hashes_and_numbers_of_threads(hashSeed, threads, expected):
    out, _ = run(digestText, PYTHONHASHSEED=hashSeed, OMP_NUM_THREADS=threads)

    assert out.split() == expected


@pytest.fixture(scope="module")
def expected():
    return digests()


def test_threads_with_a_net_each_get_the_bits_of_one_after_another(rng):
    data = rng.standard_normal((8, 4, 3, 1, 8, 8)).astype(np.float32)
    nets = [cnn() if number % 2 else mlp() for number in range(8)]
    calculators = [Calculator(net, batchsize=2, progress=False) for net in nets]

    def answers(number, repeats):
        return [calculators[number].calcFromHost(data[number, i % 4]).tobytes()
                for i in range(repeats)]

    repeats, found = times(40, 1000), [None] * 8
    expected = [answers(number, 4) * (repeats // 4) for number in range(8)]

    def work(number):
        found[number] = answers(number, repeats)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == expected


def test_one_thread_saves_whole_files_while_another_trains(tmp_path):
    module, other = Linear(50, 50, useBias=False, name="net"), Linear(50, 50, useBias=False)
    stop = threading.Event()

    def train():
        value = 0
        while not stop.is_set():
            value += 1
            module.W.set(np.full((50, 50), value, np.float32))

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for number in range(times(20, 200)):
            module.save(tmp_path / f"{number % 2}.hdf")
            other.load(tmp_path / f"{number % 2}.hdf", name="net")
    finally:
        stop.set()
        thread.join()
    assert np.isfinite(other.W.get()).all()
