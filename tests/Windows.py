"""Windows that slide over data, and what they see, for the tests of pools."""

import itertools

import pytest

# (shape, size, stride, pad)
cases = [
    ((3, 2, 7), 2, 2, 0), ((2, 3, 11), 4, 1, 3), ((1, 1, 1), 1, 1, 0),
    ((2, 3, 6, 8), 2, 2, 0), ((2, 3, 7, 5), 2, 2, 0), ((2, 3, 7, 5), 2, 2, 1),
    ((1, 2, 9, 12), 3, 2, 0), ((3, 1, 9, 12), 3, 2, 1), ((2, 1, 3, 3), 3, 2, 2),
    ((1, 2, 57, 35), 3, 2, 1), ((1, 2, 40, 67), 2, 2, 0), ((2, 3, 13, 2), 3, 1, 1),
    ((2, 2, 1, 1), 2, 2, 1), ((2, 1, 2, 17), (2, 3), (2, 2), (1, 1)),
    ((1, 3, 11, 4), (5, 1), (3, 2), (2, 0)), ((2, 1, 8, 8), 2, 5, 0),
    ((2, 3, 5, 4, 7), 2, 2, 0), ((1, 2, 6, 3, 5), 3, 2, 1),
    ((3, 1, 1, 7, 5), (1, 3, 3), 2, (0, 1, 1)),
]
everyWindow = pytest.mark.parametrize("shape, size, stride, pad", cases, ids=str)


def perAxis(value, nd):
    return value if isinstance(value, tuple) else (value,) * nd


def windows(shape, size, stride, pad):
    """(place, the slices of the data that it sees) for each place."""
    sizes = shape[2:]
    size, stride, pad = (perAxis(value, len(sizes)) for value in (size, stride, pad))
    axes = list(zip(sizes, size, stride, pad, strict=True))
    for place in itertools.product(*(range((n + 2 * p - k) // s + 1) for n, k, s, p in axes)):
        yield place, tuple(slice(max(i * s - p, 0), i * s - p + k)
                           for i, (_, k, s, p) in zip(place, axes, strict=True))
