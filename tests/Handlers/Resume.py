"""A training of every optimizer that is stopped after some step, and gone on with."""

import hashlib

import numpy as np

import minidl
from minidl.Backend import Device, gpuarray
from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Datasets import Rows
from minidl.Handlers import Checkpoint, Trainer, Validator
from minidl.Modules import Activation, BatchNorm, BatchNorm2D, Conv2D, Dropout, Flatten, Linear
from minidl.Optimizers import EMA
from minidl.Optimizers.Hooks import ClipNorm
from minidl.Optimizers.Schedules import Cosine, Plateau, WarmUp
from minidl.Transformers import Augment
from tests.Optimizers.test_Optimizer import kinds

isSlow = "stand-in" in Device.current().describe()  # it takes many times as long
numOfEpochs, stepsOfEpoch = 3 if isSlow else 7, 29
lastStep = numOfEpochs * stepsOfEpoch


class StopError(Exception):
    """Where a training shall stop."""


class Training:
    """
    The number says which optimizer it is, and how data come: on the device, from the host, in
    slices that are changed at random; whether with global state, and with two batches a step.
    """

    def __init__(self, number, folder, seed=1):
        minidl.seed(seed)
        rng = np.random.default_rng(9)
        accumulate = 1 + number % 4 // 3
        size = 7 * (stepsOfEpoch * accumulate - 1) + 3  # the last batch is a short one
        self.data = rng.standard_normal((size, 1, 6, 6)).astype(np.float32)
        self.labels = rng.integers(0, 4, size).astype(np.int32)

        self.net, kind = self.build(), kinds[number % len(kinds)]
        self.optimizer = kind(1e-2)
        self.optimizer.setupOn(self.net, useGlobalState=number % 2 == 0)
        self.optimizer.addHook(ClipNorm(1.0))
        then = (Plateau(self.optimizer, patience=0) if number % 3 else Cosine(self.optimizer, 5))
        self.schedule = WarmUp(self.optimizer, 2, then=then)
        self.average, self.cost = EMA(self.optimizer, 0.9), CrossEntropy()
        self.trainer = Trainer(
            self.net, self.cost, self.optimizer, batchsize=7, accumulate=accumulate,
            shuffle="batches" if number % 5 == 4 else "samples", checkFinite=number % 2 == 0)
        self.checkpoint = Checkpoint(
            folder, self.trainer, schedule=self.schedule, average=self.average)
        self.train = (self.onDevice, self.fromHost, self.inSlices)[number % 3]

    def build(self):
        net = Sequential("net").append(Conv2D(1, 5, 3)).append(BatchNorm2D(5))
        net.append(Activation("relu")).append(Flatten()).append(Linear(5 * 4 * 4, 20))
        net.append(BatchNorm(20)).append(Activation("relu")).append(Dropout(0.3))
        return net.append(Linear(20, 4))

    def onDevice(self):
        self.trainer.train(gpuarray.to_gpu(self.data), gpuarray.to_gpu(self.labels))

    def fromHost(self):
        noise = np.random.standard_normal(self.data.shape)  # drawn anew when it goes on
        data = (self.data + 0.1 * noise).astype(np.float32)
        self.trainer.trainFromHost(data, self.labels, macroBatchSize=7 * 6)

    def inSlices(self):
        self.trainer.trainFromHost(Rows(self.data, transform=Augment(1)), Rows(self.labels),
                                   macroBatchSize=7 * 6)

    def run(self, stop=None):
        """Trains to the end, or to a file after step `stop`; returns a digest of everything."""
        if stop is not None:
            self.trainer.followers.append(lambda trainer: self.stopAt(stop))
        validator = Validator(self.net, CrossEntropy())
        for _ in self.checkpoint.epochs(numOfEpochs):
            self.train()
            with self.average.swapped():
                error = validator.validateFromHost(self.data, self.labels)
            self.schedule.step(error + self.cost.getMeanError())
        return self.digest()

    def stopAt(self, stop):
        if self.optimizer.t == stop and self.trainer.isBetweenSteps:
            self.checkpoint.save()
            raise StopError

    def digest(self):
        arrays = [var.data for var in self.net.getVarTable()]
        arrays += [attr for _, mod in self.net.namedModules("") for attr in mod.attrs.values()]
        arrays += [*self.optimizer.stateArrays().values(), *self.average.parts().values()]
        values = b"".join(gpuarray.toHost(array).tobytes() for array in arrays)
        numbers = [self.optimizer.t, self.optimizer.learnRate, self.schedule.t,
                   self.schedule.then.t, self.cost.getMeanError()]
        return hashlib.sha256(values + np.float64(numbers).tobytes()).hexdigest()


def stopped(number, folder, stop):
    """Leaves a file in `folder`."""
    try:
        Training(number, folder).run(stop)
    except StopError:
        return
    raise AssertionError(f"there is no step {stop}")


def resumed(number, folder):
    """The digest in the end of a training that goes on where the file is."""
    training = Training(number, folder, seed=99)  # which the file's state must overrule
    assert training.checkpoint.resume() is not None
    return training.run()
