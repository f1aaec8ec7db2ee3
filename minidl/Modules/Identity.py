from minidl.Modules.Module import Module


class Identity(Module):
    """
    Passes data and gradients as they are: the very same arrays.

        y = x
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.movesData = self.movesGrad = True

    def updateData(self, data):
        self.data = data

    def updateGrad(self, grad):
        self.grad = grad

    def checkDataType(self, dtype):
        """Takes any."""

    def checkGradType(self, dtype):
        """Takes any."""
