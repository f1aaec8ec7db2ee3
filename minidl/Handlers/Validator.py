import numpy as np

from minidl.Handlers.Handler import Handler, leaves


class Validator(Handler):
    """
    Finds the mean of `cost.validate` over data, in evaluation mode.

    Batches count by their sizes. Args: as Trainer's, without the optimizer. The result is kept in
    `error`.
    """

    def __init__(self, mod, cost, onBatchFinish=None, batchsize=128, *, progress=True):
        super().__init__(mod, onBatchFinish, batchsize, progress=progress)
        self.cost, self.error = cost, None

    def validate(self, data, target):
        """The mean over data and targets on the device."""
        return self.run(lambda state: self.handle([data, target], state, random=False))

    def validateFromHost(self, data, target, macroBatchSize=10000, onMacroBatchFinish=None):
        """The mean over host arrays or h5 datasets."""
        return self.run(lambda state: self.handleFromHost(
            [data, target], state, macroBatchSize, onMacroBatchFinish, random=False))

    def run(self, handle):
        self.module.evalMode()
        state = []
        handle(state)
        values, sizes = zip(*state, strict=True)
        mean = np.average(np.array(values, np.float64), axis=0, weights=sizes)
        self.error = mean.tolist()
        return self.error

    def handleBatch(self, batch, state):
        data, target = batch
        value = self.cost.validate(self.module(data), target)
        state.append((value, len(leaves(data)[0])))
