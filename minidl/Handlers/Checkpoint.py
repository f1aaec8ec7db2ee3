import signal
import threading
from pathlib import Path

import numpy as np

from minidl import Random, Weights
from minidl.Backend import gpuarray
from minidl.Backend.Ops.Random import Generator
from minidl.GuardedFile import Guarded, reading, writing
from minidl.Handlers.Finite import NotFiniteError, areFinite
from minidl.Handlers.Handler import HandlerError
from minidl.Handlers.Place import Place

prefix = "training"  # of all groups of a file but the module's
caught = signal.SIGINT, signal.SIGTERM


class CheckpointError(HandlerError):
    """A training that cannot be kept in files as asked."""


class Checkpoint:
    """
    Keeps a training in files, from which a new process goes on with the same bits as if nothing had
    been: weights and statistics, the optimizer, schedule and average, the states of all random
    generators, and the place in the epoch and its order.

        checkpoint = Checkpoint("run", trainer, every=1000)
        checkpoint.resume()                     # at the newest file, if there is one
        for epoch in checkpoint.epochs(20):     # from 1 on, or where it ended
            trainer.trainFromHost(data, labels)

    The loop saves after each epoch, and amid one when Ctrl-C or SIGTERM come: after the batch, then
    the signal does what it else does; a second one does so at once. An epoch is one call of train
    or trainFromHost. What comes before it in the loop is run again when an epoch is gone on with:
    so schedule.step() comes after it.

    Args:
        folder: of the files "checkpoint-<steps>.hdf"; net.load takes them as well, and
            optimizer.load(path, name="training").
        trainer: its module, cost and optimizer are what is kept.
        keep: how many files stay, the newest ones.
        every: steps between two files; None: one after each epoch.
        schedule, average: a Schedule, an EMA, if there is one.

    A file takes its place when it is whole. With Trainer(checkFinite=True) there is none of
    parameters that are not finite.
    """

    def __init__(self, folder, trainer, keep=3, every=None, *, schedule=None, average=None):
        if keep < 1 or every is not None and every < 1:
            self.fail(f"keep and every must be positive, got {keep} and {every}")
        self.folder, self.trainer, self.keep, self.every = Path(folder), trainer, keep, every
        self.savers = {"schedule": schedule, "average": average}
        self.epoch, self.atEpoch = 0, None  # epochs done; random states where the next one begins
        self.newest = ""  # name of the last file read or written
        self.signal, self.before = None, {}
        trainer.followers.append(self.afterBatch)

    # Training

    def resume(self):
        """Loads the newest file and returns its path; None if there is none."""
        files = self.files()
        if not files:
            return None
        self.load(files[-1])
        return files[-1]

    def epochs(self, number):
        """The numbers of the epochs that are to do, up to `number`."""
        self.catch()
        try:
            while self.epoch < number:
                if self.atEpoch is None:
                    self.atEpoch = Random.getState()
                Random.setState(self.atEpoch)  # that of a file, whatever was drawn since
                yield self.epoch + 1
                self.epoch, self.atEpoch = self.epoch + 1, None
                self.save()
                self.heed()
        finally:
            self.release()
            self.atEpoch = None

    def afterBatch(self, trainer):
        if trainer.isBetweenSteps:
            isTime = self.every is not None and trainer.optimizer.t % self.every == 0
            if isTime or self.signal is not None:
                self.save()
            self.heed()

    # Signals

    def catch(self):
        """Signals are noted from now on; in the main thread, the only one that may say so."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.note) for number in caught}

    def release(self):
        for number, handler in self.before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: no handler of Python's
        self.before = {}

    def note(self, number, frame):
        if self.signal is not None:
            self.signal = None
            self.release()
            signal.raise_signal(number)
        else:
            self.signal = number

    def heed(self):
        """Has a signal that came do what it does without a Checkpoint."""
        if self.signal is None:
            return
        number, self.signal = self.signal, None
        self.release()
        signal.raise_signal(number)
        self.catch()

    # Files

    def files(self):
        """From the oldest to the newest."""
        return sorted(self.folder.glob("checkpoint-*.hdf"))

    def save(self):
        """Writes a file of the present state, removes old ones, and returns its path."""
        trainer, newest = self.trainer, max((path.name for path in self.files()), default="")
        if newest > self.newest:
            self.fail(f"{self.folder} has {newest}, of another training or of later steps: go on "
                      f"with it by resume(), or take another folder")
        if not trainer.isBetweenSteps:
            self.fail("can save only where trainer.isBetweenSteps, not amid the batches of a step")
        if trainer.checkFinite and not areFinite(
                [var.data for var in trainer.optimizer.vars.values()]):
            raise NotFiniteError(f"Checkpoint: the parameters are not finite after step "
                                 f"{trainer.optimizer.t}; the last file is {newest or 'none'}")

        path = self.folder / f"checkpoint-{trainer.optimizer.t:012}.hdf"
        with writing(path) as (group, _):
            self.write(group)
        self.newest = path.name
        for old in self.files()[:-self.keep]:
            old.unlink(missing_ok=True)
        return path

    def load(self, path):
        """
        Takes over a file. All or nothing: one that does not fit raises WeightsError, and nothing
        has changed.
        """
        with reading(path, "Checkpoint") as (group, problems):
            takes = self.found(group, problems)
        for take in takes:
            take()
        self.newest = Path(path).name

    def write(self, group):
        trainer = self.trainer
        trainer.module.save(group, compress=None)
        trainer.optimizer.save(group, prefix)
        for saver in filter(None, self.savers.values()):
            saver.save(group, prefix)

        own = group.create_group(f"{prefix}.place")
        for name, value in self.state().items():
            own[name] = value

    def state(self):
        """What is kept beside module and optimizer, as numpy arrays."""
        trainer, now = self.trainer, Random.getState()
        place = trainer.place or Place(np.zeros(5, np.int64), now, now)
        numbers = dict(epoch=self.epoch, isAmid=trainer.place is not None,
                       macroBatch=place.macroBatch, batch=place.batch)
        return {
            **{name: np.array(value, np.int64) for name, value in numbers.items()},
            "cost": trainer.cost.getState(), "form": place.form, "now": now,
            "atEpoch": place.atStart if self.atEpoch is None else self.atEpoch,
            "atStart": place.atStart, "atMacroBatch": place.atMacroBatch,
            "generators": np.array([[*rng.key, rng.position] for rng in self.generators()],
                                   np.uint64).reshape(-1, 3)}

    def generators(self):
        """Those that modules have of their own."""
        found = (vars(mod).get("rng") for _, mod in self.trainer.module.namedModules(""))
        return list(dict.fromkeys(
            rng for rng in found if isinstance(rng, Generator) and rng is not gpuarray.globalRng))

    def found(self, group, problems):
        """Reads all; returns functions that have each part take it, if there are no problems."""
        module, optimizer = self.trainer.module, self.trainer.optimizer
        root = Weights.rootName(module, None)
        takes = [Weights.found(module, root, group, False, problems),
                 optimizer.found(group, prefix, problems)]
        for name, saver in self.savers.items():
            if saver is not None:
                takes.append(saver.found(group, prefix, problems))
            elif f"{prefix}.{name}" in Guarded(group, "/", problems):
                problems.append(f"there is a {name} in it, but none in this Checkpoint")
        return [*takes, self.foundPlace(group, problems)]

    def foundPlace(self, group, problems):
        own, forms = Guarded(group, f"{prefix}.place", problems), self.state()
        values = {name: own.read(name, form.shape, form.dtype) for name, form in forms.items()}
        own.refuseOthers(set(forms))
        for name, value in values.items():
            if value is not None and not isPossible(name, value):
                problems.append(f"{own.name}/{name} holds what can never have been")

        def take():
            numbers = {name: value.item() for name, value in values.items() if value.size == 1}
            trainer = self.trainer
            self.epoch, self.atEpoch = numbers["epoch"], values["atEpoch"]
            trainer.place = trainer.resumed = None
            trainer.cost.setState(values["cost"])
            if numbers["isAmid"]:
                trainer.resumed = Place(
                    values["form"], values["atStart"], values["atMacroBatch"],
                    numbers["macroBatch"], numbers["batch"], values["now"])
            for rng, words in zip(self.generators(), values["generators"].tolist(), strict=True):
                rng.key, rng.position = tuple(words[:2]), words[2]
            Random.setState(values["atEpoch"])
        return take

    def fail(self, message):
        raise CheckpointError(f"Checkpoint: {message}")


def isPossible(name, value):
    """Whether Checkpoint.state() can have given this."""
    if name in ("now", "atEpoch", "atStart", "atMacroBatch"):
        return Random.isState(value)
    if name == "generators":
        return (value[:, :2] < 2 ** 32).all()
    if name == "cost":
        value = value[1::2]  # numbers of samples; errors may be any
    return (np.isfinite(value) & (value >= 0)).all()
