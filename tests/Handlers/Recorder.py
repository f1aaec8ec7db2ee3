"""What shows the order in which handlers take samples."""

import numpy as np

from minidl.Backend import gpuarray
from minidl.Cost import MSE
from minidl.Handlers import Trainer
from minidl.Modules import Module
from minidl.Optimizers import SGD
from minidl.Variable import Variable


class Recorder(Module):
    """A module that notes which batches it sees, as lists of the numbers in their first column."""

    def __init__(self, name="recorder"):
        super().__init__(name)
        self.batches = []
        self.setVar("W", Variable(gpuarray.zeros(1)))

    def updateData(self, data):
        self.batches.append(data.get().reshape(len(data), -1)[:, 0].astype(int).tolist())
        self.data = data

    def updateGrad(self, grad):
        self.grad = grad

    def seen(self):
        """All samples since the last question, in order."""
        samples = [sample for batch in self.batches for sample in batch]
        self.batches = []
        return samples


def numbered(size, width=3):
    """Samples whose elements are all the sample's number."""
    return np.repeat(np.arange(size, dtype=np.float32)[:, None], width, axis=1)


def recording(batchsize=4, **arguments):
    """(trainer, its module, which notes what it sees)"""
    module, optimizer = Recorder(), SGD()
    optimizer.setupOn(module)
    return Trainer(module, MSE(), optimizer, batchsize=batchsize, **arguments), module


def epochs(trainer, data, number=1, **arguments):
    """What the module sees in each of some epochs over data on the device."""
    data = gpuarray.to_gpu(data)
    return [trainer.train(data, data, **arguments) or trainer.module.seen() for _ in range(number)]
