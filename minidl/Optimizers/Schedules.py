"""
Learning rates that follow a plan: `schedule = Cosine(optimizer, steps=1000)`, then after each step,
or each epoch, `schedule.step()`.

A schedule multiplies the rate that its optimizer has when it is made (`alpha` of Adam, `learnRate`
of the others) by a factor of t, the number of its steps so far.
"""

import math

import numpy as np

from minidl.GuardedFile import Guarded
from minidl.Optimizers.Optimizer import OptimizerError
from minidl.Optimizers.Saved import Saved


class Schedule(Saved):
    """
    The contract of every schedule.

        optimizer.learnRate = base * factor()

    Args:
        optimizer: whose rate is set.
        steps: how many steps it takes.
        then: the schedule of the same optimizer that follows, made before; it does step 0 of its
            own in place of step `steps`. So WarmUp(optimizer, 500, then=Cosine(optimizer, 9500)).

    A subclass writes `factor()`, and names in `numbers` what goes into files.
    """

    numbers = ("base", "t")

    def __init__(self, optimizer, steps=math.inf, then=None):
        if not steps >= 1:
            self.fail(f"steps must be at least 1, got {steps}")
        if then is not None and then.optimizer is not optimizer:
            self.fail("the schedule that follows must be one of the same optimizer")
        self.optimizer, self.steps, self.then = optimizer, steps, then
        self.base = getattr(optimizer, optimizer.rateName) if then is None else then.base
        self.t = 0
        setattr(optimizer, optimizer.rateName, self.base)  # whatever one that follows has set

    def step(self, value=None):
        """One step; `value` is what Plateau watches."""
        if self.then is not None and self.t >= self.steps:
            self.then.step(value)
            return
        self.advance(value)
        self.t += 1
        self.apply()

    def apply(self):
        """Sets the optimizer's rate."""
        if self.then is not None and self.t >= self.steps:
            self.then.apply()
            return
        setattr(self.optimizer, self.optimizer.rateName, self.base * self.factor())

    def advance(self, value):
        """What a step does beside counting."""

    def factor(self):
        raise NotImplementedError(f"{type(self).__name__} has no factor")

    def write(self, group, name):
        own = group.create_group(f"{name}.schedule")
        for path, schedule in self.chain():
            for number in schedule.numbers:
                own[path + number] = np.float64(getattr(schedule, number))

    def found(self, group, name, problems):
        own = Guarded(group, f"{name}.schedule", problems)
        values = {path + number: own.read(path + number, (), np.dtype(np.float64))
                  for path, schedule in self.chain() for number in schedule.numbers}
        own.refuseOthers(set(values))
        for key, value in values.items():
            isBest = key.rpartition(".")[2] == "best"  # which may be any, infinite in the beginning
            if value is not None and (np.isnan(value) or not isBest and not 0 <= value < np.inf):
                problems.append(f"{own.name}/{key} must be finite and not negative, got {value}")

        def take():
            for path, schedule in self.chain():
                for number in schedule.numbers:
                    setattr(schedule, number, float(values[path + number]))
            self.apply()
        return take

    def chain(self, path=""):
        """(prefix of names in files, schedule) of this one and those that follow"""
        yield path, self
        if self.then is not None:
            yield from self.then.chain(f"{path}then.")

    def fail(self, message):
        raise OptimizerError(f"{type(self).__name__}: {message}")


class Step(Schedule):
    """
    A rate that falls every so many steps.

        factor = gamma^floor(t / every)
    """

    def __init__(self, optimizer, every, gamma=0.1, steps=math.inf, then=None):
        super().__init__(optimizer, steps, then)
        if not (every >= 1 and gamma > 0):
            self.fail(f"every must be at least 1 and gamma above 0, got {every} and {gamma}")
        self.every, self.gamma = every, gamma

    def factor(self):
        return self.gamma ** (self.t // self.every)


class Cosine(Schedule):
    """
    Half a wave from 1 down to `low`, and no further. (Loshchilov, Hutter 2017)

        factor = low + (1 - low) (1 + cos(pi min(t / steps, 1))) / 2
    """

    def __init__(self, optimizer, steps, low=0.0, then=None):
        super().__init__(optimizer, steps, then)
        self.low = low

    def factor(self):
        return self.low + (1 - self.low) * (1 + math.cos(math.pi * min(self.t / self.steps, 1))) / 2


class WarmUp(Schedule):
    """
    A rate that rises in a straight line, and stays, or gives way to another schedule.

        factor = low + (1 - low) min(t / steps, 1)

    It begins at once: the first steps of the optimizer have the rate base * low.
    """

    def __init__(self, optimizer, steps, low=0.01, then=None):
        super().__init__(optimizer, steps, then)
        self.low = low
        self.apply()

    def factor(self):
        return self.low + (1 - self.low) * min(self.t / self.steps, 1)


class Plateau(Schedule):
    """
    A rate that falls when a value, which should, does not: `schedule.step(error)` each epoch.

        factor = gamma^n

    n grows by one whenever more than `patience` steps in a row have brought no value below
    (1 - threshold) times the best one.
    """

    numbers = (*Schedule.numbers, "n", "best", "waited")

    def __init__(self, optimizer, gamma=0.1, patience=10, threshold=1e-4):
        super().__init__(optimizer)
        self.gamma, self.patience, self.threshold = gamma, patience, threshold
        self.n, self.best, self.waited = 0, math.inf, 0

    def advance(self, value):
        if value is None:
            self.fail("step takes the value that should fall: schedule.step(error)")
        if value < self.best * (1 - self.threshold):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.n, self.waited = self.n + 1, 0

    def factor(self):
        return self.gamma ** self.n
