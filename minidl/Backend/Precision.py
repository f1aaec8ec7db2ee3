"""What the dtypes of data mean: which are floating point, and in which sums over them are kept."""

import functools

import numpy as np

floatingLetters = "fdeE"  # numpy's: float32, float64, float16, and bfloat16 of ml_dtypes
halfLetters = "eE"


def isFloating(dtype):
    """Whether numbers of `dtype` may be data: numpy itself does not count bfloat16 in."""
    return dtype.char in floatingLetters


def isHalf(dtype):
    """Whether numbers of `dtype` have 16 bits, and what is summed over them has 32."""
    return dtype.char in halfLetters


@functools.lru_cache(64)
def sumType(dtype):
    """The dtype of sums, statistics and master copies for data of `dtype`: a kernel's `accum`."""
    dtype = np.dtype(dtype)
    return np.dtype(np.float32) if isHalf(dtype) else dtype
