"""Where in a run over data a handler is, so that another process can go on there."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Place:
    """
    Nothing of the order of samples is kept but the states of the random generators (Random.py) from
    which it follows: `atStart`, before the order was drawn, and `atMacroBatch`, before the macro
    batch was read and put in order. `macroBatch` and `batch` are the numbers of those done, `form`
    is what a run must have in common with the one that it goes on with.
    """

    form: np.ndarray
    atStart: np.ndarray
    atMacroBatch: np.ndarray
    macroBatch: int = 0
    batch: int = 0
    now: np.ndarray | None = None  # the states behind the last batch, in a place that is gone on at
