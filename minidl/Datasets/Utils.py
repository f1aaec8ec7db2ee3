"""Helpers for data as numpy arrays."""

import numpy as np

from minidl import Random


def splitData(data, labels=None, dim=0, validation=0.1, permutation=True):
    """
    (trainData, validationData), or with labels (trainData, trainLabels, validationData,
    validationLabels).

    Args:
        dim: the axis of the samples in data; labels have one axis, or theirs first.
        validation: share of the samples to hold out.
        permutation: whether to draw them at random, or take the last ones.
    """
    size = data.shape[dim]
    held = round(validation * size)
    if not 0 < held < size:
        raise ValueError(f"splitData: validation must leave samples on both sides, got "
                         f"{validation} of {size}")
    if labels is not None and len(labels) != size:
        raise ValueError(f"splitData: data has {size} samples on axis {dim}, labels {len(labels)}")

    order = Random.shuffler.permutation(size) if permutation else np.arange(size)
    sides = np.split(order, [size - held])
    if labels is None:
        return tuple(data.take(side, axis=dim) for side in sides)
    return tuple(array for side in sides for array in (data.take(side, axis=dim), labels[side]))
