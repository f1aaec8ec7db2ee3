"""Run as a program by test_Context.py: a spawned process imports the file that started it."""

import multiprocessing

import numpy as np

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector


def doubled(values):
    array = gpuarray.to_gpu(values)
    return Vector.addScaled(array, array).get()


if __name__ == "__main__":
    values = np.arange(5, dtype=np.float32)
    expected = doubled(values)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert (pool.apply(doubled, (values,)) == expected).all()
