"""Many arrays in one piece of memory, so that one kernel can go over all of them."""

import math

import numpy as np

from minidl.Backend import gpuarray

alignment = 64  # bytes: each array begins where vector and cache lines do


class SharedArray:
    """
    Arrays of one dtype that lie one behind the other in `ary`, a flat array.

        shared = SharedArray()
        shared.register((4, 3), np.float32, "W")
        shared.build()
        shared["W"]                                # a view of shape (4, 3)

    Between two arrays there may be a few elements that belong to neither; they stay zero.
    """

    def __init__(self, dtype=np.float32):
        self.dtype = np.dtype(dtype)
        self.places, self.size = {}, 0  # name -> (first element, shape)
        self.ary = None

    def register(self, shape, dtype, name):
        if self.ary is not None:
            raise RuntimeError(f"SharedArray: {name} comes after build()")
        if np.dtype(dtype) != self.dtype or name in self.places:
            raise ValueError(f"SharedArray of {self.dtype}: cannot register {name} of {dtype}, "
                             f"beside {', '.join(self.places) or 'nothing'}")
        self.places[name] = self.size, tuple(shape)
        step = alignment // self.dtype.itemsize
        self.size += -(-math.prod(shape) // step) * step

    def build(self):
        self.ary = gpuarray.zeros(self.size, self.dtype)

    def __getitem__(self, name):
        return self.partOf(self.ary, name)

    def partOf(self, ary, name):
        """The place of `name` in another array of the size of this one's."""
        first, shape = self.places[name]
        return ary[first:first + math.prod(shape)].reshape(shape)
