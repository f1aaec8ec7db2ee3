"""The arguments of a constructor as json writes them, to build an equal module from."""

import inspect
import json

import numpy as np


def schemeOf(kind, args, exclude):
    """{argument: its plain value} of the locals() of kind's constructor."""
    known = inspect.signature(kind.__init__).parameters
    given = {key: value for key, value in args.items() if key in known and key != "self"}
    given.update(given.pop("options", {}))  # of a constructor that passes them on
    return {key: None if key in exclude else plain(value) for key, value in given.items()}


def chosen(kind, scheme):
    """What of a scheme is not as the constructor has it anyway."""
    usual = {key: plain(each.default) for key, each in inspect.signature(kind).parameters.items()
             if each.default is not each.empty}
    return {key: value for key, value in scheme.items()
            if key not in usual or usual[key] != value}


def plain(value):
    """A value as json gives it back; None for what json cannot write."""
    try:
        return json.loads(json.dumps(value, default=plainer))
    except TypeError:
        return None


def plainer(value):
    if isinstance(value, slice):
        return {"start": value.start, "stop": value.stop, "step": value.step}
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"json cannot write a {type(value).__name__}")
