from minidl.Backend.Ops import Gelu as Ops
from minidl.Modules.InputActivation import InputActivation


class Gelu(InputActivation):
    """
    Each number times the probability that a normal one is below it.

        y = x Phi(x),    Phi(x) = (1 + erf(x / sqrt(2))) / 2

    (Hendrycks, Gimpel 2016)

    Args:
        inplace: the output takes the place of the input; in evaluation mode only.

    Data: any shape; the result has the same.
    """

    def __init__(self, inplace=False, name=None):
        super().__init__(inplace, name)
        self.registerBlueprint(locals())

    def updateData(self, data):
        self.data = Ops.forward(data, out=data if self.inplace else None)

    def updateGrad(self, grad):
        self.grad = Ops.backward(self.inData, grad)
