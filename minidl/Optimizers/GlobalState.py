"""
The state of an optimizer as PuzzleLib writes it for all variables together: one flat array
"<class 'numpy.float32'>.<entity>", in which they lie in the order of their names.
"""

import numpy as np

from minidl.GuardedFile import Guarded

starts = 16, 1  # bytes: arrays begin at multiples of it on a GPU, and on the CPU


def isGlobal(states):
    return any(key.startswith("<class ") for key in states.group)


def split(group, path, targets, problems):
    """
    The host arrays for `targets`, {<variable>.<entity>: array}, from the group of that path; what
    is wrong goes to `problems`.
    """
    for start in starts:
        trial = []
        states = Guarded(group, path, trial)
        values = {}
        for entity in sorted({key.rpartition(".")[2] for key in targets}):
            values.update(parts(states, entity, targets, start))
        if not trial:
            return values
    problems.extend(trial)
    return {}


def parts(states, entity, targets, start):
    names = sorted(key.rpartition(".")[0] for key in targets if key.rpartition(".")[2] == entity)
    arrays = [targets[f"{name}.{entity}"] for name in names]
    dtype = arrays[0].dtype
    step = max(start // dtype.itemsize, 1)
    sizes = [-(-array.size // step) * step for array in arrays]
    whole = states.read(f"{dtype.type}.{entity}", (sum(sizes),), dtype)
    if whole is None:
        return {}
    runs = np.split(whole, np.cumsum(sizes[:-1]))
    return {f"{name}.{entity}": run[:array.size].reshape(array.shape)
            for name, array, run in zip(names, arrays, runs, strict=True)}
