"""The sizes of a convolution, checked once."""

import functools
from typing import NamedTuple


class ConvGeometry(NamedTuple):
    """
    Of a convolution of `data` (batch, groups * ins, *size) with `filters` (groups * outs, ins,
    *window) to `out` (batch, groups * outs, *places). Sizes of space are three, the first ones 1
    where there are fewer; one step beyond the edge of data, up to pad of them, stands a zero.

        place p and window element t of an axis meet at data's p * stride + t * dilation - pad
    """

    batch: int
    groups: int
    ins: int
    outs: int
    size: tuple
    window: tuple
    places: tuple
    stride: tuple
    pad: tuple
    dilation: tuple
    dataShape: tuple
    outShape: tuple


@functools.lru_cache(1 << 12)
def geometry(dataShape, filterShape, stride, pad, dilation, groups):
    """
    Args:
        dataShape: (batch, maps, 1 to 3 sizes).
        filterShape: (out maps, maps / groups, 1 to 3 sizes).
        stride, pad, dilation: a number for each size.

    Raises: ValueError where the window does not fit into the padded data.
    """
    sizes, window = dataShape[2:], filterShape[2:]
    places = tuple((size + 2 * p - d * (w - 1) - 1) // s + 1
                   for size, w, s, p, d in zip(sizes, window, stride, pad, dilation, strict=True))
    if min(places) < 1:
        raise ValueError(f"a window of {window}, {dilation} apart, does not fit into data of "
                         f"{sizes} with {pad} zeros on each side")
    batch, outMaps = dataShape[0], filterShape[0]
    return ConvGeometry(
        batch, groups, filterShape[1], outMaps // groups, ofThree(sizes, 1), ofThree(window, 1),
        ofThree(places, 1), ofThree(stride, 1), ofThree(pad, 0), ofThree(dilation, 1),
        dataShape, (batch, outMaps, *places))


def ofThree(numbers, neutral):
    return (neutral,) * (3 - len(numbers)) + tuple(numbers)
