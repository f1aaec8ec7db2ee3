from minidl.Backend.Ops import Pool as Ops
from minidl.Modules.Activation import isRelu
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
        self.grad = self.gradient(grad)

    def gradient(self, grad, relued=None):
        return Ops.maxPoolBackward(grad, self.mask, self.geometry(self.inData.shape), relued)

    # With a relu behind it

    def fusable(self, followers):
        # A subclass of the user's may compute something else.
        isOwn = (type(self).updateData is MaxPoolND.updateData
                 and type(self).updateGrad is MaxPoolND.updateGrad)
        return int(isOwn and len(followers) > 0 and isRelu(followers[0]))

    def updateFused(self, data, followers, added=None):
        follower, = followers
        follower.data, self.mask = Ops.maxPool(data, self.geometry(data.shape), relu=True)
        if follower.inplace:
            self.data = follower.data
        else:
            self.later("data", self.maxima)
        follower.later("inData", lambda: self.data)

    def maxima(self):
        """The output without the relu of the last call."""
        return Ops.maxPool(self.inData, self.geometry(self.inData.shape))[0]

    def backwardFused(self, grad, followers, updParamGrads=True, updGrad=True, scale=1.0,
                      momentum=0.0):
        follower, = followers
        grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
        follower.later("grad", lambda: follower.gradFrom(grad))
        self.grad = self.gradient(grad, follower.data) if updGrad else None

    def checkGradShape(self, shape):
        # Not self.data, which may be put off.
        if shape != self.mask.shape:
            self.fail(f"grad must have the shape of data {self.mask.shape}, got {shape}")

    def reset(self):
        super().reset()
        self.mask = None
