"""The one seed of everything random, and the generator that orders and changes samples."""

import numpy as np

from minidl.Backend import gpuarray

shuffler = np.random.default_rng(0)  # orders, splits and augments samples


def seed(value):
    """Seeds initial weights (numpy's global generator), dropout and noise, and the order."""
    if not 0 <= value < 2 ** 32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1, got {value}")
    global shuffler
    np.random.seed(value)
    gpuarray.globalRng.seed(value)
    shuffler = np.random.default_rng(value)
