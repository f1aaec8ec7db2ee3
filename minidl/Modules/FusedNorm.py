from minidl.Backend.Ops import Vector
from minidl.Backend.Ops.BatchNorm import noRamp
from minidl.Modules.Activation import Activation
from minidl.Modules.Module import Module


class FusedNorm(Module):
    """
    A normalization whose kernels do what follows it as well: a relu, leaky relu or clip, or the sum
    with another array and one of these.

        y = f(norm(x) + added)

    Nothing is kept for the derivative of f beside y: without `added` its sign is found from x anew.
    What the modules have alone, norm(x) above all, is computed if somebody asks for it.

    A subclass writes
        normalized(data, out, ramp, added)   the output; `ramp`, `added` as in Ops/BatchNorm.py
        normalizedAlone()                    norm(x) of the last call
        gradients(grad, ramp, out)           of data, scale, bias, and of added if `out`, the
                                             output, is given
        isWithBatch()                        whether `gradients` knows ramps after the last call
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.inplace, self.scalegrad, self.biasgrad = False, None, None

    def updateData(self, data):
        self.data = self.normalized(data, out=data if self.inplace else None)

    def updateGrad(self, grad):
        self.grad, self.scalegrad, self.biasgrad = self.gradients(grad)[:3]

    def fusable(self, followers):
        follows = followers[0] if followers else None
        return int(self.canAdd() and type(follows) is Activation and follows.ramp() is not None)

    def canAdd(self):
        """Whether `followers` of callFused may begin with an Add."""
        # A subclass of the user's may compute something else.
        isOwn = (type(self).updateData is FusedNorm.updateData
                 and type(self).updateGrad is FusedNorm.updateGrad)
        return isOwn and not self.inplace

    def updateFused(self, data, followers, added=None):
        add, activation = parts(followers)
        followers[-1].data = self.normalized(
            data, None, activation.ramp() if activation else noRamp, added)

        self.later("data", self.normalizedAlone)
        if add is not None:
            add.later("inData", lambda: [self.data, added])
        if add is not None and activation is not None:
            add.later("data", lambda: Vector.addScaled(self.data, added))
        if activation is not None:
            activation.later("inData", lambda: (add or self).data)

    def backwardFused(self, grad, followers, updParamGrads=True, updGrad=True, scale=1.0,
                      momentum=0.0):
        add, activation = parts(followers)
        if activation is not None and self.isWithBatch():
            grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
            ingrad, self.scalegrad, self.biasgrad, *rest = self.gradients(
                grad, activation.ramp(), activation.data if add else None)
            self.grad = ingrad if updGrad else None
            if updParamGrads and self.train:
                self.accGradParams(grad, scale=scale, momentum=momentum)
            if add is None:
                activation.later("grad", lambda: activation.gradFrom(grad))
                return None
            activation.grad, = addedgrad, = rest
        else:
            if activation is not None:
                activation.backward(grad, updParamGrads, True, scale, momentum)
                grad = activation.grad
            self.backward(grad, updParamGrads, updGrad, scale, momentum)
            addedgrad = grad
        if add is not None:
            add.grad = [addedgrad, addedgrad]
        return addedgrad

    def checkGradShape(self, shape):
        # Not self.data, which may be put off.
        if shape != self.inData.shape:
            self.fail(f"grad must have the shape of data {self.inData.shape}, got {shape}")


def parts(followers):
    """(the Add, the Activation) of what follows; None for one that is not there."""
    *adds, last = followers
    return (adds[0] if adds else None, last) if type(last) is Activation else (last, None)
