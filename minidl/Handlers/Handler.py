"""The contract of what runs a network over data, batch by batch."""

import numpy as np

from minidl import Random
from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Handlers.Place import Place
from minidl.Progress import progress

shuffles = ("samples", "batches")


class HandlerError(ValueError):
    """Data that no batches can be made of."""


class Handler:
    """
    Cuts data into batches and hands them to `handleBatch(batch, state)`.

    Args:
        mod: the module.
        onBatchFinish: function of (handler), called after each batch.
        batchsize: samples a batch; the last one may be smaller.
        shuffle: what is put in random order when `random` is asked for: "samples", a new
            permutation of all samples each time, or "batches", which stay together as they lie.
        progress: whether to show a bar, if standard error is a terminal and tqdm is installed.

    Data is an array or a nested list of arrays of one length. currBatch, from 1 on, totalBatches,
    currMacroBatch and totalMacroBatches tell how far it is. `followers` are functions of (handler)
    that are called after onBatchFinish. A Checkpoint asks for `place`, and leaves in `resumed` the
    place where the next run goes on.
    """

    def __init__(self, mod, onBatchFinish=None, batchsize=128, *, shuffle="samples", progress=True):
        if batchsize < 1:
            self.fail(f"batchsize must be positive, got {batchsize}")
        if shuffle not in shuffles:
            self.fail(f"shuffle must be one of {', '.join(shuffles)}, got {shuffle}")
        self.module, self.onBatchFinish, self.batchsize = mod, onBatchFinish, batchsize
        self.shuffle, self.progress = shuffle, progress
        self.currBatch = self.totalBatches = self.currMacroBatch = self.totalMacroBatches = 0
        self.sizes = []  # of the batches of the macro batch
        self.followers, self.place, self.resumed = [], None, None

    def handle(self, data, state=None, random=True):
        """Runs over data on the device."""
        for array in leaves(data):
            if not hasattr(array, "gpudata"):
                self.fail(f"takes arrays on the device, got {type(array).__name__}: use "
                          f"gpuarray.to_gpu, or the method named FromHost")
        self.currMacroBatch = self.totalMacroBatches = 1
        self.begin(self.lengthOf(data), 0, random)
        self.handleMacroBatch(data, state, random)
        self.place = None

    def handleFromHost(self, data, state=None, macroBatchSize=10000, onMacroBatchFinish=None,
                       random=True):
        """
        Runs over host arrays or h5 datasets, of which the device holds a macro batch at a time.

        In random order, numpy arrays give each macro batch a share of one permutation of all
        samples; of other data, which is read in slices, macro batches come in random order.
        """
        if macroBatchSize < 1:
            self.fail(f"macroBatchSize must be positive, got {macroBatchSize}")
        size = self.lengthOf(data)
        done = self.begin(size, macroBatchSize, random)
        starts = np.arange(0, size, macroBatchSize)
        order = None
        if random and self.shuffle == "samples" and all(
                isinstance(array, np.ndarray) for array in leaves(data)):
            order = Random.shuffler.permutation(size)
        elif random:
            Random.shuffler.shuffle(starts)

        self.totalMacroBatches = len(starts)
        for index, start in enumerate(starts[done:], done):
            self.currMacroBatch = index + 1
            self.beginMacroBatch(index)
            part = slice(start, start + macroBatchSize)
            part = part if order is None else order[part]
            macroBatch = mapped(lambda array, part=part: gpuarray.to_gpu(array[part]), data)
            self.handleMacroBatch(macroBatch, state, random and order is None)
            if onMacroBatchFinish is not None:
                onMacroBatchFinish(self)
        self.place = self.resumed = None

    def handleMacroBatch(self, data, state, random):
        size = self.lengthOf(data)
        starts = np.arange(0, size, self.batchsize)
        order = None
        if random and self.shuffle == "samples":
            order = gpuarray.to_gpu(Random.shuffler.permutation(size).astype(np.int32))
        elif random:
            Random.shuffler.shuffle(starts)

        self.totalBatches = len(starts)
        self.sizes = (np.minimum(starts + self.batchsize, size) - starts).tolist()
        done = self.goOn()
        bar = progress(starts[done:], type(self).__name__, self.progress)
        for index, start in enumerate(bar, done):
            self.currBatch = index + 1
            part = slice(start, start + self.batchsize)
            if order is None:
                batch = mapped(lambda array, part=part: array[part], data)
            else:
                batch = mapped(lambda array, part=part: Vector.gather(array, order[part]), data)
            self.handleBatch(batch, state)
            self.module.reset()
            self.place.batch = self.currBatch
            if self.onBatchFinish is not None:
                self.onBatchFinish(self)
            for follower in self.followers:
                follower(self)

    def begin(self, size, macroBatchSize, random):
        """Begins a run, or goes on with one; returns how many macro batches are done."""
        form = np.array([size, macroBatchSize, self.batchsize, random, self.shuffle == "samples"],
                        np.int64)
        if self.resumed is not None:
            if (form != self.resumed.form).any():
                words = "samples, macroBatchSize, batchsize, random, shuffle of samples"
                self.fail(f"goes on where a checkpoint was made, in a run with ({words}) = "
                          f"{self.resumed.form.tolist()}; got {form.tolist()}")
            Random.setState(self.resumed.atStart)
        state = Random.getState()
        self.place = Place(form, state, state)
        return self.resumed.macroBatch if self.resumed else 0

    def beginMacroBatch(self, index):
        if self.resumed is not None:
            Random.setState(self.resumed.atMacroBatch)
        self.place.atMacroBatch, self.place.macroBatch = Random.getState(), index
        self.place.batch = 0

    def goOn(self):
        """How many batches of this macro batch are done; from here on a run is like any other."""
        resumed, self.resumed = self.resumed, None
        if resumed is None:
            return 0
        Random.setState(resumed.now)
        self.place.batch = resumed.batch
        return resumed.batch

    def handleBatch(self, batch, state):
        raise NotImplementedError(f"{type(self).__name__} has no handleBatch")

    def lengthOf(self, data):
        lengths = {len(array) for array in leaves(data)}
        if len(lengths) != 1:
            self.fail(f"all arrays must have one length, got {sorted(lengths) or 'no array'}")
        if lengths == {0}:
            self.fail("there are no samples")
        return lengths.pop()

    def fail(self, message):
        raise HandlerError(f"{type(self).__name__}: {message}")


def leaves(data):
    """The arrays of a nested list."""
    if isinstance(data, (list, tuple)):
        return [leaf for each in data for leaf in leaves(each)]
    return [data]


def mapped(function, data):
    """The nested list with `function` applied to each array."""
    if isinstance(data, (list, tuple)):
        return [mapped(function, each) for each in data]
    return function(data)
