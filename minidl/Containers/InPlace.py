"""
Refuses a module in place that would overwrite an array which somebody else still reads.

A reader is a module: the one whose gradient is found from the array, or which has handed the same
array to others too. It goes through a net with `flow`, or with `flowBack` for gradients; None is
nobody.
"""

from minidl.Containers.Container import ContainerError
from minidl.Modules.Add import Add
from minidl.Modules.Replicate import Replicate


def output(mod, reader):
    """Who reads what `mod` gives, if `reader` reads what it takes."""
    if mod.isContainer:
        return mod.flow(reader, output, lambda each: each)
    refuse(mod, reader, "output")
    if mod.gradUsesOutData or isinstance(mod, Replicate) and mod.times > 1:
        return mod
    return reader if mod.movesData else None


def gradient(mod, reader):
    """Who reads the gradient that `mod` hands on, if `reader` reads the one that it takes."""
    if mod.isContainer:
        return mod.flowBack(reader, gradient, soleReader)
    refuse(mod, reader, "gradient")
    if isinstance(mod, Add):
        return mod
    return reader if mod.movesGrad else None


def soleReader(parts):
    """The reader of a sum of gradients: nobody, if it is one of several."""
    slots, reader = parts[0]
    if slots is None:
        return reader if len(parts) == 1 else None
    return next((each for _, each in parts if each is not None), None)


def refuse(mod, reader, what):
    """Raises ContainerError if `mod` is in place and there is a reader."""
    readers = reader if isinstance(reader, list) else [reader]
    reader = next((each for each in readers if each is not None), None)
    if reader is None or not getattr(mod, "inplace", False):
        return
    why = ("its gradient needs" if what == "output" and reader.gradUsesOutData
           else "goes to others too")
    raise ContainerError(f"{mod} would overwrite the {what} of {reader}, which {why}: make {mod} "
                         f"with inplace=False")
