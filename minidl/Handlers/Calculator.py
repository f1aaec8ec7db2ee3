import numpy as np

from minidl.Backend import gpuarray
from minidl.Handlers.Handler import Handler, mapped


class Calculator(Handler):
    """Finds a module's output for data of any length, batch by batch, in evaluation mode."""

    def calc(self, data):
        """The output for data on the device, as an array there (or a list, as the module gives)."""
        onHost = self.run(lambda state: self.handle(data, state, random=False))
        return mapped(gpuarray.to_gpu, onHost)

    def calcFromHost(self, data, macroBatchSize=10000, onMacroBatchFinish=None):
        """The output for host arrays or h5 datasets, as numpy arrays."""
        return self.run(lambda state: self.handleFromHost(
            data, state, macroBatchSize, onMacroBatchFinish, random=False))

    def run(self, handle):
        self.module.evalMode()
        batches = []
        handle(batches)
        return joined(batches)

    def handleBatch(self, batch, state):
        state.append(mapped(lambda array: array.get(), self.module(batch)))


def joined(batches):
    """The batches' arrays one behind the other, for arrays or equally nested lists of arrays."""
    if isinstance(batches[0], list):
        return [joined(each) for each in zip(*batches, strict=True)]
    return np.concatenate(batches)
