import enum
import math

from minidl.Backend.Ops import Activation as Ops
from minidl.Modules.Module import Module


class ActivationType(str, enum.Enum):
    sigmoid = "sigmoid"
    tanh = "tanh"
    relu = "relu"
    leakyRelu = "leakyRelu"
    elu = "elu"
    softPlus = "softPlus"
    clip = "clip"


sigmoid, tanh, relu, leakyRelu, elu, softPlus, clip = ActivationType

defaultArgs = {leakyRelu: (0.01,), elu: (1.0,), clip: (0.0, 6.0)}


class Activation(Module):
    """
    A function of each element.

        sigmoid                1 / (1 + exp(-x))
        tanh                   tanh(x)
        relu                   max(x, 0)
        leakyRelu (a=0.01)     x if x > 0 else a x
        elu (a=1)              x if x > 0 else a (exp(x) - 1)
        softPlus               log(1 + exp(x))
        clip (low=0, high=6)   min(max(x, low), high)

    The derivative is found from the output, so that the input may be overwritten; it is 0 at the
    corners of relu and clip. NaN stays NaN.

    Args:
        activation: one of the words above, or the constant of that name.
        slc: only the elements `flat[slc]` are changed, the others pass.
        inplace: the output takes the place of the input, and the gradient's result that of the
            gradient.
        args: the numbers in parentheses above; the defaults if empty.

    Data: any shape; the result has the same.
    """

    def __init__(self, activation, slc=None, inplace=False, name=None, args=()):
        super().__init__(name)
        self.registerBlueprint(locals())
        try:
            self.activation = ActivationType(activation)
        except ValueError:
            self.fail(f"activation must be one of {', '.join(Ops.names)}, got {activation}")

        default = defaultArgs.get(self.activation, ())
        self.actArgs = tuple(args) if args else default
        if len(self.actArgs) != len(default):
            self.fail(f"{self.activation.value} takes {len(default)} numbers, got {self.actArgs}")
        if self.activation == clip and not self.actArgs[0] < self.actArgs[1]:
            self.fail(f"clip needs low < high, got {self.actArgs}")
        if self.activation in (leakyRelu, elu) and not self.actArgs[0] >= 0:
            self.fail(f"{self.activation.value} needs a >= 0, got {self.actArgs[0]}")

        self.slc, self.inplace = slc, inplace
        self.gradUsesOutData = True

    def updateData(self, data):
        if self.slc is not None:
            self.data = self.onSlice(data, lambda part: Ops.forward(
                self.activation.value, part, self.actArgs))
        else:
            self.data = Ops.forward(
                self.activation.value, data, self.actArgs, out=data if self.inplace else None)

    def ramp(self):
        """The function as (floor, ceiling, leak) of Ops/BatchNorm.py, if that can tell it."""
        # A subclass may compute something else.
        if type(self) is not Activation or self.slc is not None:
            return None
        return {relu: lambda: (0.0, math.inf, 0.0), leakyRelu: lambda a: (0.0, math.inf, a),
                clip: lambda low, high: (low, high, 0.0)}.get(
                    self.activation, lambda *_: None)(*self.actArgs)

    def updateGrad(self, grad):
        if self.slc is not None:
            out = self.data.reshape(-1)[self.slc].copy()
            self.grad = self.onSlice(grad, lambda part: Ops.backward(
                self.activation.value, out, part, self.actArgs))
        else:
            self.grad = self.gradFrom(grad, grad if self.inplace else None)

    def gradFrom(self, grad, ingrad=None):
        return Ops.backward(self.activation.value, self.data, grad, self.actArgs, ingrad=ingrad)

    def onSlice(self, array, function):
        """`array`, or a copy unless in place, with `function` applied to its flat slice."""
        result = array if self.inplace else array.copy()
        part = result.reshape(-1)[self.slc]
        part[...] = function(part.copy())
        return result


def isRelu(module):
    """Whether that is what a module computes, of all elements."""
    # A subclass may compute something else.
    return type(module) is Activation and module.activation is relu and module.slc is None
