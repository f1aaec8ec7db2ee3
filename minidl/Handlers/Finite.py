"""Finds the first array of a training step that is not finite."""

from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import isFloating
from minidl.Handlers.Handler import HandlerError, leaves


class NotFiniteError(HandlerError, ArithmeticError):
    """An error or a gradient is NaN or infinite; no parameter has taken a step along it."""


def areFinite(arrays):
    """Whether all numbers in a nested list of arrays are; arrays of integers and None are."""
    floating = [array for array in leaves(arrays)
                if array is not None and isFloating(array.dtype)]
    return not floating or Vector.countNotFinite(floating) == 0


def firstNotFinite(module, cost, data):
    """What that is, in words, in the order in which a step computes; None if there is nothing."""
    if not areFinite(data):
        return "the data"
    params = module.getVarTable(name=module.name or "").items()
    for var, names in params:
        if not areFinite(var.data):
            return f"the parameter {names[0]}"
    if (words := culprit(module)) is not None:
        return words
    if not areFinite([cost.errors, cost.grad]):
        return "the error"
    for var, names in reversed(params):  # backward begins with the last module
        if not areFinite(var.grad):
            return f"the gradient {names[0]}"
    return None


def culprit(module):
    """The module that makes numbers that are not finite of finite ones."""
    wrong = [(path, each) for path, each in module.namedModules(module.name or "")
             if not each.isContainer and not areFinite(each.data)]
    wrong.sort(key=lambda each: not areFinite(each[1].inData))  # whose input is finite first
    return f"the output of {wrong[0][1]} ({wrong[0][0]})" if wrong else None
