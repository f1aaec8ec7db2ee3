"""Random numbers on the device: a seeded generator that launches Kernels/Random.cu."""

import numpy as np

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile

kernels = KernelFile("Random")
word = 1 << 32


class Generator:
    """
    A stream of random numbers that depends on its seed alone: not on the device, not on the number
    of threads. `position` counts the counters used; seed and position are the whole state.
    """

    def __init__(self, seed=0):
        self.seed(seed)

    def seed(self, seed):
        """Starts the stream `seed`, an integer from 0 to 2**64 - 1, from its beginning."""
        if not 0 <= seed < word ** 2:
            raise ValueError(f"seed must be from 0 to 2**64 - 1, got {seed}")
        self.key = seed % word, seed // word
        self.position = 0

    def fillInteger(self, ary):
        """32 random bits for each element of a uint32 array."""
        kernels.randomBits(self.blocks(ary), ary, ary.size, *self.take(ary.size), *self.key)
        return ary

    def fillUniform(self, ary, minval=0.0, maxval=1.0):
        """Uniform in [minval, maxval)."""
        kernels.randomUniform(self.blocks(ary), ary, ary.size, *self.take(ary.size), *self.key,
                              minval, maxval - minval)
        return ary

    def fillNormal(self, ary, mean=0.0, stddev=1.0):
        kernels.randomNormal(self.blocks(ary), ary, ary.size, *self.take(ary.size), *self.key,
                             mean, stddev)
        return ary

    def bits(self, size):
        """A new array of `size` times 32 random bits."""
        return self.fillInteger(empty(size, np.uint32))

    def take(self, size):
        """The first counter of the next `size` numbers, as its two words; none is used twice."""
        first = self.position
        self.position += -(-size // 4)
        return first % word, first // word % word

    def blocks(self, ary):
        return elements(ary.size)


globalRng = Generator()
