"""What a net is made of, as a table."""

from math import prod

import numpy as np

from minidl.Containers import Container
from minidl.Modules.ConvND import ConvND
from minidl.Modules.DeconvND import DeconvND
from minidl.Modules.Identity import Identity
from minidl.Modules.Linear import Linear
from minidl.Modules.Replicate import Replicate

titles = "module", "class", "output", "parameters", "memory", "operations"


def summary(net, shape):
    """
    A table of all modules of `net` in the order of data: path, class, shape of the output, number
    of parameters, memory of the output, operations; and their totals. Nothing is computed.

    An operation is a multiplication and an addition of a matrix product or a convolution; other
    modules count one for each number of their output. Modules that only hand on what they get take
    neither memory nor operations, those in place no memory. A parameter that several modules share
    counts once in the total.

    Args:
        shape: of data, or a list of shapes, with the batch axis.
    """
    paths = {mod: path for path, mod in net.namedModules(net.name or "")}
    rows = []

    def visit(mod, given):
        if isinstance(mod, Container):
            return mod.flow(given, visit)
        mod.checkDataShape(given)
        out = mod.dataShapeFrom(given)
        isNew = not (isinstance(mod, (Identity, Replicate)) or getattr(mod, "inplace", False))
        size = sum(map(prod, listed(out))) * isNew
        rows.append((paths.get(mod, mod.name or "").lstrip("."), type(mod).__name__, out,
                     mod.numOfParams(), size * np.dtype(mod.calctype).itemsize,
                     operations(mod, given, out)))
        return out

    visit(net, shape)
    numbers = [sum(row[at] for row in rows) for at in (4, 5)]
    return table([*rows, ("total", "", "", net.numOfParams(), *numbers)])


def operations(mod, given, out):
    """How many a call takes for data of the shape `given`."""
    size = sum(map(prod, listed(out)))
    if isinstance(mod, Linear):
        return size * mod.insize
    if isinstance(mod, DeconvND):  # each number that comes in meets each of the map's filters
        return prod(given) * prod(mod.filterShape()[1:])
    if isinstance(mod, ConvND):
        return size * prod(mod.filterShape()[1:])
    return 0 if isinstance(mod, (Identity, Replicate)) else size


def listed(shape):
    return shape if isinstance(shape, list) else [shape]


def table(rows):
    lines = [titles, *([path, kind, ", ".join(map(str, listed(out))) if out else "", f"{params:,}",
                        readable(memory), f"{number:,}"]
                       for path, kind, out, params, memory, number in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(titles))]
    return "\n".join("  ".join(
        cell.ljust(width) if at < 3 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines)


def readable(number):
    """Bytes in the unit in which they are short."""
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"
