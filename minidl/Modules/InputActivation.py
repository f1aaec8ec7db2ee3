from minidl.Modules.Module import Module


class InputActivation(Module):
    """
    An activation whose derivative is found from its input, which must not be overwritten then: it
    can be in place in evaluation mode only, and has no backward there.
    """

    def __init__(self, inplace, name):
        super().__init__(name)
        self.inplace = inplace

    def checkDataShape(self, shape):
        if self.inplace and self.train:
            self.fail("using inplace flag in train mode is prohibited")

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        if self.inplace and self.inData is not None:
            self.fail("has overwritten its input, which backward needs: make it with inplace=False")
        super().backward(grad, updParamGrads, updGrad, scale, momentum)
