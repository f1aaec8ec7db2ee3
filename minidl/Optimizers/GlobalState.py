"""
The state of an optimizer as PuzzleLib writes it for all variables together: one flat array
"<class 'numpy.float32'>.<entity>", in which they lie in the order of their names.
"""

import numpy as np

starts = 16, 1  # bytes: arrays begin at multiples of it on a GPU, and on the CPU


def isGlobal(states, targets):
    """Whether the guarded group has one for `targets`, {<variable>.<entity>: array}."""
    return any(nameOf(key, array) in states for key, array in targets.items())


def nameOf(key, array):
    return f"{array.dtype.type}.{key.rpartition('.')[2]}"


def split(states, targets):
    """The host arrays for `targets`; what is wrong goes to the problems of `states`."""
    values = {}
    for name in sorted({nameOf(key, array) for key, array in targets.items()}):
        keys = [key for key, array in targets.items() if nameOf(key, array) == name]
        keys.sort(key=lambda key: key.rpartition(".")[0])
        whole = states.readAny(name)
        if whole is not None:
            arrays = {key: targets[key] for key in keys}
            values.update(parts(states, name, np.asarray(whole), arrays))  # it may be text
    return values


def parts(states, name, whole, arrays):
    dtype = next(iter(arrays.values())).dtype
    for start in starts:
        step = max(start // dtype.itemsize, 1)
        sizes = [-(-array.size // step) * step for array in arrays.values()]
        if (whole.shape, whole.dtype) == ((sum(sizes),), dtype):
            runs = np.split(whole, np.cumsum(sizes[:-1]))
            return {key: run[:array.size].reshape(array.shape)
                    for (key, array), run in zip(arrays.items(), runs, strict=True)}
    states.problems.append(f"{states.name}/{name} must have shape ({sum(sizes)},) and dtype "
                           f"{dtype}, the file has {whole.shape} and {whole.dtype}")
    return {}
