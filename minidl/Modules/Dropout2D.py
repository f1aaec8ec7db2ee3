from math import prod

from minidl.Backend.Ops.Dropout import dropMaps
from minidl.Modules.Dropout import Dropout


class Dropout2D(Dropout):
    """
    In training mode sets each map to zero with probability p, and scales the others: see Dropout
    for the formula and arguments. (Tompson et al. 2015)

    Data: (batch, maps, one or more sizes).
    Attributes: rands, one uint32 for each map of each sample; partition; mapsize, the number of
    elements of a map.
    """

    mapsize = None

    def numberOfRands(self, shape):
        return shape[0] * shape[1]

    def dropped(self, array, out=None):
        self.mapsize = prod(array.shape[2:])
        return dropMaps(array, self.rands, self.mapsize, self.partition, 1 / (1 - self.p), out)

    def checkDataShape(self, shape):
        if len(shape) < 3:
            self.fail(f"data must have shape (batch, maps, one or more sizes), got {shape}")
        if not 0 < prod(shape) < 2 ** 31:
            self.fail(f"data must have from 1 to 2**31 - 1 numbers, got shape {shape}")
