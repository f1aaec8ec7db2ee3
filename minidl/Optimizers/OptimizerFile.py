"""
Saves and loads optimizers. The layout of the h5 file is PuzzleLib's:

    /<name>.attrs/<rate>                      t and the numbers of a constructor
    /<name>.states/<variable>.<entity>        an array of the state of a module's variable

<variable> is the variable's full name, whether its state lies alone or in a global one. PuzzleLib
writes a global state in one piece, as "<class 'numpy.float32'>.<entity>", which is read as well.
"""

import numpy as np

from minidl.GuardedFile import Guarded, reading, writing


def save(optimizer, hdf, name):
    """See Optimizer.save."""
    with writing(hdf) as (group, result):
        attrs, states = group.create_group(f"{name}.attrs"), group.create_group(f"{name}.states")
        attrs["t"] = np.int64(optimizer.t)
        for rate in optimizer.rates:
            attrs[rate] = np.float64(getattr(optimizer, rate))
        for key, array in stateOf(optimizer).items():
            states[key] = array.get()
    return result[0]


def load(optimizer, hdf, name):
    """See Optimizer.load."""
    with reading(hdf, type(optimizer).__name__) as (group, problems):
        take = found(optimizer, group, name, problems)
    take()


def found(optimizer, group, name, problems):
    """Reads all; returns a function that has the optimizer take it, if there are no problems."""
    attrs = Guarded(group, f"{name}.attrs", problems)
    steps = attrs.read("t", (), np.dtype(np.int64))
    rates = {rate: attrs.read(rate, (), np.dtype(np.float64)) for rate in optimizer.rates}
    attrs.refuseOthers({"t", *rates})
    for key, value in {"t": steps, **rates}.items():
        if value is not None and not 0 <= value < np.inf:
            problems.append(f"{attrs.name}/{key} must be finite and not negative, got {value}")

    targets = stateOf(optimizer)
    states = Guarded(group, f"{name}.states", problems)
    if any(key.startswith("<class ") for key in states.group):
        values = unitedState(group, states.name, targets, problems)
    else:
        values = {key: states.read(key, each.shape, each.dtype) for key, each in targets.items()}
        states.refuseOthers(set(targets))

    def take():
        optimizer.t = int(steps)
        for rate, value in rates.items():
            setattr(optimizer, rate, float(value))
        for key, array in targets.items():
            array[...] = values[key]
    return take


def stateOf(optimizer):
    """{<variable>.<entity>: array}, which are parts of others under global state"""
    return {f"{part}.{entity}": array
            for name, state in optimizer.states.items() for entity, whole in state.items()
            for part, array in optimizer.parts(name, whole).items()}


def unitedState(group, path, targets, problems):
    """The host arrays for `targets` from PuzzleLib's global state, in order of variables' names."""
    for bytesOfBlock in (16, 1):  # arrays begin at multiples of it: on a GPU, on the CPU
        trial, values = [], {}
        states = Guarded(group, path, trial)
        for entity in sorted({key.rpartition(".")[2] for key in targets}):
            keys = sorted((key for key in targets if key.rpartition(".")[2] == entity),
                          key=lambda key: key.rpartition(".")[0])
            dtype = targets[keys[0]].dtype
            block = max(bytesOfBlock // dtype.itemsize, 1)
            sizes = [-(-targets[key].size // block) * block for key in keys]
            whole = states.read(f"{dtype.type}.{entity}", (sum(sizes),), dtype)
            if whole is None:
                break
            for key, part in zip(keys, np.split(whole, np.cumsum(sizes[:-1])), strict=True):
                values[key] = part[:targets[key].size].reshape(targets[key].shape)
        if not trial:
            return values
    problems.extend(trial)
    return {}
