"""The contract of every optimizer."""

import copy

import numpy as np

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Optimizer as Ops
from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import isHalf, sumType
from minidl.GuardedFile import Guarded
from minidl.Optimizers import GlobalState
from minidl.Optimizers.Saved import Saved
from minidl.Variable import Variable

noWeights = {"b", "bias", "scale", "slopes"}  # names of variables that are no weights


class OptimizerError(ValueError, RuntimeError):
    """An optimizer was given what it cannot take."""


class Optimizer(Saved):
    """
    Changes parameters along their gradients, which are ascent directions: every step adds.

        optimizer.setupOn(net, useGlobalState=True)
        optimizer.zeroGradParams();  net.backward(grad);  optimizer.update()

    With `useGlobalState` all parameters move into one flat array, their gradients into another,
    and a step is one kernel (of those with another dtype, one more). The arrays net.layer.W are
    replaced by views of it: keep no older ones. The factors learnRate, momRate and wc are then
    those of `globalVar`. Without it each variable has a state of its own and honours its own
    factors.

    Parameters of 16 bits have a float32 copy in the state, "master", which takes the steps and
    the hooks' changes, and is rounded into the parameters then. It follows those that others set.

    Variables without a gradient (withgrad=False) stay as they are.

    `followers` are functions without arguments, called after each step: optimizer.followers.append(
    schedule.step), say.

    A subclass names its arrays of state in `entities` and its numbers in `rates`, in `belowOne`
    those that must be, in `mayLack` those that a file need not have, in `rateName` the one that
    schedules change, and writes `step(var, state)`.
    `save` and `load` take files of PuzzleLib's layout, with global state or without.
    """

    entities, rates, belowOne, mayLack, rateName = (), ("learnRate",), (), (), "learnRate"

    def __init__(self, nodeinfo=None):
        if nodeinfo is not None:
            self.fail("nodeinfo (training on several devices) is not supported yet")
        self.t = 0
        self.learnRate = 0.0
        self.hooks, self.hooksOfAll, self.followers = [], [], []
        self.module = self.globalVar = None
        self.vars, self.states, self.customVars = {}, {}, []
        self.places = {}  # name of a united Variable -> SharedArray of those that it was made of

    def setupOn(self, mod, useGlobalState=False):
        """Takes the parameters of `mod`; state starts anew."""
        table = {var: min(names) for var, names in mod.getVarTable().items()
                 if var.grad is not None or var.hasUpdater}
        if not table:
            self.fail(f"{mod} has no parameters with a gradient")

        self.module, self.t = mod, 0
        self.customVars = [var for var in table if var.hasUpdater]
        named = sorted((name, var) for var, name in table.items() if not var.hasUpdater)
        for name, var in named:
            var.numOfWeights = 0 if name.rpartition(".")[2] in noWeights else var.data.size
        self.vars, self.globalVar, self.places = dict(named), None, {}
        if useGlobalState and named:
            self.vars = self.uniteAll(mod, named)
            self.globalVar = self.vars["global"]
        self.states = {name: self.setupState(var) for name, var in self.vars.items()}

    def uniteAll(self, mod, named):
        """{name: the Variable that all of one dtype have become}; most are in "global"."""
        groups = {}
        for name, var in named:
            groups.setdefault(var.data.dtype, []).append((name, var))
        if len(set(map(sumType, groups))) > 1:
            self.fail(f"global state needs parameters of one dtype, got {sorted(map(str, groups))} "
                      f"(only those of 16 bits may have float32 ones beside them)")

        size = lambda dtype: sum(var.data.size for _, var in groups[dtype])
        *others, most = sorted(groups, key=size)
        united = {f"global {dtype}": groups[dtype] for dtype in others} | {"global": groups[most]}
        return {name: self.unite(mod, name, group) for name, group in united.items()}

    def unite(self, mod, whole, named):
        """Moves variables of one dtype into one, and gives views of it back to their modules."""
        dtype = named[0][1].data.dtype
        named = sorted(named, key=lambda each: each[1].numOfWeights == 0)  # so weights are one run
        data, grad = (gpuarray.SharedArray(dtype) for _ in range(2))
        for shared in (data, grad):
            for name, var in named:
                shared.register(var.data.shape, var.data.dtype, name)
            shared.build()

        for name, var in named:  # the same objects as before: those that modules share stay shared
            data[name][...], grad[name][...] = var.data, var.grad
            var.data, var.grad = data[name], grad[name]
        for _, owner in mod.namedModules(""):
            for key, var in owner.vars.items():
                owner.setVar(key, var)
        united = Variable(data.ary, whole, grad=grad.ary)
        others = [data.places[name][0] for name, var in named if not var.numOfWeights]
        united.numOfWeights = min(others, default=data.size)
        self.places[whole] = data
        return united

    def parts(self, name, array):
        """{name of a module's variable: its part of an array that lies as self.vars[name] does}"""
        if name not in self.places:
            return {name: array}
        return {each: self.places[name].partOf(array, each) for each in self.places[name].places}

    def setupState(self, var):
        dtype = sumType(var.data.dtype)
        state = {name: gpuarray.zeros(var.data.shape, dtype) for name in self.entities}
        if isHalf(var.data.dtype):
            state["master"] = Vector.cast(var.data, dtype)
        return state

    def addHook(self, hook):
        """
        Adds a function of (variable, state) that may change gradients before each step; or one of a
        list of all variables, which has an attribute `ofAll` that is true, and comes before them.
        """
        (self.hooksOfAll if getattr(hook, "ofAll", False) else self.hooks).append(hook)

    def zeroGradParams(self):
        self.checkSetup()
        for var in (*self.vars.values(), *self.customVars):
            if var.grad is not None:
                Vector.fill(var.grad, 0)

    def update(self, useStreams=False, sync=True):
        """One step. The arguments are PuzzleLib's, and change nothing here."""
        self.checkSetup()
        self.t += 1
        moving = {name: var for name, var in self.vars.items()
                  if (self.globalVar or var).learnRate > 0}
        for hook in self.hooksOfAll if moving else ():
            hook(list(moving.values()))
        for name, var in self.vars.items():
            if name in moving:
                self.move(var, self.states[name])
            if var.hasPostUpdater:
                var.postUpdate()
        for var in self.customVars:
            var.update(self.learnRate)
        for follower in self.followers:
            follower()

    def move(self, var, state):
        """The hooks and a step; on the master copy of a variable that has one."""
        moved, master = var, state.get("master")
        if self.globalVar not in (None, var) or master is not None:
            moved = copy.copy(self.globalVar or var)
            moved.data, moved.grad, moved.numOfWeights = var.data, var.grad, var.numOfWeights
        if master is not None:
            moved.data, moved.grad = master, Ops.widen(var.data, var.grad, master)

        for hook in self.hooks:
            hook(moved, state)
        self.step(moved, state)
        if master is not None:
            Vector.cast(master, var.data.dtype, out=var.data)

    def step(self, var, state):
        raise NotImplementedError(f"{type(self).__name__} has no step")

    # Files, in PuzzleLib's layout:
    #     /<name>.attrs/<rate>                   t and the numbers in `rates`
    #     /<name>.states/<variable>.<entity>     of a module's variable, under its full name

    def write(self, group, name):
        self.checkSetup()
        attrs, states = group.create_group(f"{name}.attrs"), group.create_group(f"{name}.states")
        attrs["t"] = np.int64(self.t)
        for rate in self.rates:
            attrs[rate] = np.float64(getattr(self, rate))
        for key, array in self.stateArrays().items():
            states[key] = array.get()

    def load(self, hdf, name=None):
        self.checkSetup()
        super().load(hdf, name)

    def found(self, group, name, problems):
        numbers = self.foundRates(Guarded(group, f"{name}.attrs", problems))
        targets, states = self.stateArrays(), Guarded(group, f"{name}.states", problems)
        if GlobalState.isGlobal(states, targets):
            values = GlobalState.split(states, targets)
        else:
            values = {key: states.read(key, each.shape, each.dtype)
                      for key, each in targets.items()}
            states.refuseOthers(set(targets))

        def take():
            for key, value in numbers.items():
                setattr(self, key, value.item())
            for key, array in targets.items():
                array[...] = values[key]
        return take

    def foundRates(self, attrs):
        """{name: value} of t and the rates in the guarded group"""
        numbers = {"t": attrs.read("t", (), np.dtype(np.int64))}
        for rate in self.rates:
            if rate in attrs or rate not in self.mayLack:
                numbers[rate] = attrs.read(rate, (), np.dtype(np.float64))
        attrs.refuseOthers(set(numbers))
        for key, value in numbers.items():
            if value is not None and (problem := self.unfit(key, value)):
                attrs.problems.append(f"{attrs.name}/{problem}")
        return numbers

    def stateArrays(self):
        """{<variable>.<entity>: array}, which are parts of others under global state"""
        return {f"{part}.{entity}": array
                for name, state in self.states.items() for entity, whole in state.items()
                for part, array in self.parts(name, whole).items()}

    def checkRates(self, **rates):
        for name, rate in rates.items():
            if problem := self.unfit(name, rate):
                self.fail(problem)

    def unfit(self, name, rate):
        """Why a rate must not be what it is, or None."""
        if not 0 <= rate < np.inf:
            return f"{name} must be at least 0 and finite, got {rate}"
        if name in self.belowOne and rate >= 1:
            return f"{name} must be below 1, got {rate}"
        return None

    def checkSetup(self):
        if self.module is None:
            self.fail("setupOn(module) comes first")

    def fail(self, message):
        raise OptimizerError(f"{type(self).__name__}: {message}")
