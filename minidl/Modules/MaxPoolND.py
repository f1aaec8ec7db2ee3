from minidl.Backend.Ops import Pool as Ops
from minidl.Modules.PoolND import PoolND


class MaxPoolND(PoolND):
    """
    The largest number that a window sees.

        y[n, c, p] = max over t of x[n, c, p * stride + t - pad]

    where t are the elements of the window, and x is -inf outside. NaN is the largest of all. The
    gradient goes to the number that was largest, of several equal ones to the first in memory.

    Args: see PoolND, and
        useMask: says that `mask` is wanted. Backward needs it, so it is there in any case.

    Attributes: mask, int32, in the shape of the output: where the largest number is in its map, as
    an index in memory; withMask, what useMask said.
    """

    def __init__(self, nd, size=2, stride=2, pad=0, useMask=False, name=None):
        super().__init__(nd, size, stride, pad, name)
        self.registerBlueprint(locals())
        self.withMask, self.mask = useMask, None

    def updateData(self, data):
        self.data, self.mask = Ops.maxPool(data, self.geometry(data.shape))

    def updateGrad(self, grad):
        self.grad = Ops.maxPoolBackward(grad, self.mask, self.geometry(self.inData.shape))

    def reset(self):
        super().reset()
        self.mask = None
