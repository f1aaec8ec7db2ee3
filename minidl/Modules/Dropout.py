from math import prod

from minidl.Backend import gpuarray
from minidl.Backend.Ops.Dropout import dropout
from minidl.Modules.Module import Module


class Dropout(Module):
    """
    In training mode sets each element to zero with probability p, and scales the others.

        y = x / (1 - p) where rands < partition, else 0,    partition = (1 - p) (2^32 - 1)

    In evaluation mode data and gradients pass: the very same arrays. (Srivastava et al. 2014)

    Args:
        p: probability of zero, at least 0 and below 1.
        rng: generator of the random numbers; gpuarray.globalRng if None.
        slicing: only the elements `flat[slicing]` may be dropped, the others pass.
        inplace: the output takes the place of the input.

    Attributes: rands, one uint32 for each element of the last data; partition.
    """

    def __init__(self, p=0.5, rng=None, slicing=None, inplace=False, name=None):
        super().__init__(name)
        self.registerBlueprint(locals(), exclude=["rng"])
        if not 0 <= p < 1:
            self.fail(f"p must be at least 0 and below 1, got {p}")

        self.p, self.slicing, self.inplace = p, slicing, inplace
        self.rng = gpuarray.globalRng if rng is None else rng
        self.partition = int((1 - p) * (2 ** 32 - 1))
        self.rands = None
        self.movesData = self.movesGrad = True

    def updateData(self, data):
        if not self.train:
            self.data = data
            return
        self.rands = self.rng.bits(self.numberOfRands(data.shape))
        self.data = self.drop(data)

    def updateGrad(self, grad):
        self.grad = self.drop(grad) if self.train else grad

    def drop(self, array):
        if self.slicing is None:
            return self.dropped(array, out=array if self.inplace else None)
        result = array if self.inplace else array.copy()
        result.reshape(-1)[self.slicing] = self.dropped(array).reshape(-1)[self.slicing].copy()
        return result

    def numberOfRands(self, shape):
        return prod(shape)

    def dropped(self, array, out=None):
        return dropout(array, self.rands, self.partition, 1 / (1 - self.p), out)

    def reset(self):
        super().reset()
        self.rands = None
