from minidl.Handlers.Handler import Handler


class Trainer(Handler):
    """
    Trains a module for one epoch: forward, cost, backward and optimizer step on each batch.

    Args:
        cost: what to make small; `trainer.cost.getMeanError()` is its mean over the epoch so far.
        optimizer: set up on the module.
        others: as Handler's.
    """

    def __init__(self, mod, cost, optimizer, onBatchFinish=None, batchsize=128, *,
                 shuffle="samples", progress=True):
        super().__init__(mod, onBatchFinish, batchsize, shuffle=shuffle, progress=progress)
        self.cost, self.optimizer = cost, optimizer

    def train(self, data, target, random=True):
        """One epoch over data and targets on the device."""
        self.prepare()
        self.handle([data, target], random=random)

    def trainFromHost(self, data, target, macroBatchSize=10000, onMacroBatchFinish=None,
                      random=True):
        """One epoch over host arrays or h5 datasets: see Handler.handleFromHost."""
        self.prepare()
        self.handleFromHost([data, target], None, macroBatchSize, onMacroBatchFinish, random)

    def prepare(self):
        self.cost.resetAccumulator()
        self.module.trainMode()

    def handleBatch(self, batch, state):
        data, target = batch
        grad = self.cost(self.module(data), target, queryError=False)
        self.optimizer.zeroGradParams()
        self.module.backward(grad, updGrad=False, momentum=1.0)
        self.optimizer.update()
        self.cost.reset()
