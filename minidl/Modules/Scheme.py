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
