from minidl.Handlers import Finite
from minidl.Handlers.Handler import Handler


class Trainer(Handler):
    """
    Trains a module for one epoch: forward, cost, backward and optimizer step on each batch.

    Args:
        cost: what to make small; `trainer.cost.getMeanError()` is its mean over the epoch so far.
        optimizer: set up on the module.
        accumulate: how many batches one step is for, along the mean gradient over their samples;
            the last step of a macro batch may be for fewer.
        checkFinite: whether to look at each error and gradient, for which one waits for the device:
            the first that is NaN or infinite raises NotFiniteError, which says where it came up,
            before the parameters take a step.
        others: as Handler's.
    """

    def __init__(self, mod, cost, optimizer, onBatchFinish=None, batchsize=128, *,
                 shuffle="samples", progress=True, accumulate=1, checkFinite=False):
        super().__init__(mod, onBatchFinish, batchsize, shuffle=shuffle, progress=progress)
        if accumulate < 1:
            self.fail(f"accumulate must be positive, got {accumulate}")
        self.cost, self.optimizer = cost, optimizer
        self.accumulate, self.checkFinite = accumulate, checkFinite
        self.isBetweenSteps = True  # no gradient waits for others

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
        if self.resumed is None:
            self.cost.resetAccumulator()
        self.module.trainMode()

    def handleBatch(self, batch, state):
        data, target = batch
        index = (self.currBatch - 1) % self.accumulate
        sizes = self.sizes[self.currBatch - 1 - index:][:self.accumulate]  # of one step's batches

        grad = self.cost(self.module(data), target, queryError=False)
        if index == 0:
            self.optimizer.zeroGradParams()
        self.module.backward(grad, updGrad=False, scale=sizes[index] / sum(sizes), momentum=1.0)
        if self.checkFinite:
            self.refuseNotFinite(data)
        self.isBetweenSteps = index + 1 == len(sizes)
        if self.isBetweenSteps:
            self.optimizer.update()
        self.cost.reset()

    def refuseNotFinite(self, data):
        grads = [var.grad for var in self.optimizer.vars.values()]
        if Finite.areFinite([self.cost.errors, *grads]):
            return
        words = Finite.firstNotFinite(self.module, self.cost, data)
        raise Finite.NotFiniteError(
            f"Trainer: batch {self.currBatch} of {self.totalBatches}: {words} is not finite. The "
            f"parameters are those from before; load a checkpoint, lower the rate, or clip")
