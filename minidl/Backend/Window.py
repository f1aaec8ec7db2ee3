"""Which elements a kernel over arrays goes through: all, or the part that a call names."""

from typing import NamedTuple


class Window(NamedTuple):
    """`i` takes `number` values from `start` on, `step` apart, of the `n` elements of an array."""

    start: int
    step: int
    number: int
    n: int


# How a kernel declares it, after the user's arguments.
windowArguments = "long minidlStart, long minidlStep, long minidlNumber, long n"


def windowOf(arrays, within, slice, fail):
    """The Window of a call with `range` and `slice`; fail(message) raises what is wrong."""
    if any(array.shape != arrays[0].shape for array in arrays):
        fail(f"arrays must have one shape, got {', '.join(str(a.shape) for a in arrays)}")
    if any(array.layout is None for array in arrays):
        fail("arrays must be contiguous")

    n = arrays[0].size
    if slice is not None:
        values = range(*slice.indices(n))
    elif within is not None:
        values = range(within.start or 0, within.stop, within.step or 1)
    else:
        values = range(n)
    return Window(values.start, values.step, len(values), n)
