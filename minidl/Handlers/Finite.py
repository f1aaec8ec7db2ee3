"""Finds the first array of a training step that is not finite."""

from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import isFloating
from minidl.Handlers.Handler import HandlerError, leaves


class NotFiniteError(HandlerError, ArithmeticError):
    """An error or a gradient is NaN or infinite; no parameter has taken a step along it."""


def areFinite(arrays):
    return not Vector.countNotFinite(arrays)


def firstNotFinite(module, cost, data):
    """What that is, in words, in the order in which a step computes; None if there is nothing."""
    for words, arrays in ofStep(module, cost, data):
        floating = [array for array in leaves(arrays)
                    if array is not None and isFloating(array.dtype)]
        if not areFinite(floating):
            return words
    return None


def ofStep(module, cost, data):
    """(words, arrays) of data, outputs, the error, and gradients from the last module's on"""
    root = module.name or ""
    yield "the data", data
    yield from ofParams(module, "parameter")
    for path, each in module.namedModules(root):
        if not each.isContainer:
            yield f"the output of {each} ({path})", each.data
    yield "the error", cost.errors
    yield "the error's gradient", cost.grad
    yield from ofParams(module, "gradient")


def ofParams(module, which):
    table = module.getVarTable(name=module.name or "")
    for var, names in reversed(table.items()):
        array = var.data if which == "parameter" else var.grad
        yield f"the {which} {names[0]}", array
