"""Which axes of a tensor are reduced together, and how its memory is seen from there."""

import functools
import operator
from itertools import groupby
from math import prod

import numpy as np

from minidl.Backend.gpuarray import contiguous


def resolved(axes, ndim):
    """
    The axes as increasing numbers from 0 on, for a tensor of `ndim` axes.

    Args:
        axes: "spatial" for all but axis 1; "per-activation" or "peractivation" for axis 0; or one
            integer or several, in any order, where negative ones count from the end.
    """
    if isinstance(axes, (str, bytes)):
        if axes not in ("spatial", "per-activation", "peractivation"):
            raise ValueError(f"axes must be 'spatial', 'per-activation' or integers, got {axes!r}")
        return (0, *range(2, ndim)) if axes == "spatial" else (0,)

    given = tuple(axes) if np.iterable(axes) else (axes,)
    try:
        numbers = [operator.index(axis) for axis in given]
    except TypeError:
        numbers = None
    if not numbers or any(isinstance(axis, bool) for axis in given):
        raise ValueError(f"axes must be one integer or more, or a word, got {axes}")
    if not all(-ndim <= axis < ndim for axis in numbers):
        raise ValueError(f"axes must be from {-ndim} to {ndim - 1} for data of {ndim} axes, got "
                         f"{axes}")
    found = sorted(axis % ndim for axis in numbers)
    if len(set(found)) < len(found):
        raise ValueError(f"axes must differ from each other, got {axes} for data of {ndim} axes")
    return tuple(found)


@functools.lru_cache(1 << 10)
def layout(shape, axes):
    """The Layout of a tensor's shape and its resolved axes."""
    return Layout(shape, axes)


class Layout:
    """
    A contiguous tensor seen as (outer, channels, inner), where what lies in one channel is reduced.

    A run is what neighbouring axes of one kind, reduced or not, make together. Where the axes that
    stay are more than one run, a transposed copy brings them together, the last run in its place.

    Attributes: `squeezed` and `full`, the shape of the channels without the reduced axes and with
    1 for each; `count`, the numbers in a channel; `runs`, (outer, channels, inner).
    """

    def __init__(self, shape, axes):
        self.shape = shape
        self.squeezed = tuple(size for axis, size in enumerate(shape) if axis not in axes)
        self.full = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        self.count = prod(shape[axis] for axis in axes)

        long = [axis for axis, size in enumerate(shape) if size != 1]
        grouped = [(stays, prod(shape[axis] for axis in run))
                   for stays, run in groupby(long, lambda axis: axis not in axes)]
        self.sizes = tuple(size for _, size in grouped)
        staying = [at for at, (stays, _) in enumerate(grouped) if stays]
        reduced = [at for at, (stays, _) in enumerate(grouped) if not stays]

        self.order = None  # of the runs in the transposed copy
        if len(staying) > 1:
            lastStays = staying[-1] == len(grouped) - 1
            self.order = reduced + staying if lastStays else staying + reduced
            channels = prod(self.squeezed)
            outer = self.count if lastStays else 1
            self.runs = outer, channels, self.count // outer
        elif staying:
            before, after = self.sizes[:staying[0]], self.sizes[staying[0] + 1:]
            self.runs = prod(before), prod(self.squeezed), prod(after)
        else:
            self.runs = 1, 1, self.count

    def arranged(self, array):
        """The tensor as one whose memory is as `runs` says: itself, or a transposed copy."""
        array = contiguous(array)
        if self.order is None:
            return array
        return array.reshape(self.sizes).transpose(self.order).copy()

    def restored(self, array):
        """A tensor whose memory is as `runs` says, in its own shape."""
        if self.order is None:
            return array
        array = array.reshape(tuple(self.sizes[at] for at in self.order))
        back = [self.order.index(at) for at in range(len(self.order))]
        return array.transpose(back).copy().reshape(self.shape)
