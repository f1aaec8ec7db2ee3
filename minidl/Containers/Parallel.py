from minidl.Containers.Ordered import Ordered
from minidl.Modules.Activation import Activation
from minidl.Modules.Add import Add
from minidl.Modules.Module import ModuleError


class Parallel(Ordered):
    """
    Modules side by side: each takes its own entry of a list of data.

        y_i = m_i(x_i)
    """

    def updateData(self, data):
        self.data = [self.at(i, mod, data[i]) for i, mod in enumerate(self.graph)]

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=1.0):
        if self.inData is None:
            self.fail("backward needs a call with data first")
        grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
        momentum = self.momentumLeft(momentum, updParamGrads)
        for i, mod in enumerate(self.graph):
            self.at(i, mod.backward, grad[i], updParamGrads, updGrad, scale, momentum)
        self.grad = [mod.grad for mod in self.graph] if updGrad else None

    def at(self, index, function, *args):
        try:
            return function(*args)
        except ModuleError as error:
            raise self.inside(index, error) from error

    # One of two modules may do the sum of both outputs in its own kernel, and what follows the sum

    def fusable(self, followers):
        canAdd = len(self.graph) == 2 and self.summing() is not None
        return summed(followers) if canAdd else 0

    def summing(self):
        """The index of the module that can do the sum; None if neither can."""
        return next((i for i, mod in enumerate(self.graph) if mod.canAdd()), None)

    def updateFused(self, data, followers, added=None):
        i = self.summing()
        other = self.at(1 - i, self.graph[1 - i], data[1 - i])
        self.at(i, self.graph[i].callFused, data[i], followers, other)
        self.later("data", lambda: [mod.data for mod in self.graph])

    def backwardFused(self, grad, followers, updParamGrads=True, updGrad=True, scale=1.0,
                      momentum=1.0):
        i, how = self.summing(), (updParamGrads, updGrad, scale, momentum)
        addedgrad = self.at(i, self.graph[i].backwardFused, grad, followers, *how)
        self.at(1 - i, self.graph[1 - i].backward, addedgrad, *how)
        self.grad = [mod.grad for mod in self.graph] if updGrad else None

    # Checks

    def checkDataShape(self, shape):
        self.checkNumber("data", shape)

    def checkGradShape(self, shape):
        self.checkNumber("grad", shape)

    def checkNumber(self, what, shape):
        if not isinstance(shape, list) or len(shape) != len(self.graph):
            given = f"{len(shape)} of them" if isinstance(shape, list) else "an array"
            self.fail(f"{what} must be a list of {len(self.graph)} arrays, one for each module, "
                      f"got {given}")

    def gradShapeFrom(self, shape):
        self.checkGradShape(shape)
        return super().gradShapeFrom(shape)

    def flow(self, value, visit, split=None):
        values = value if isinstance(value, list) else [value] * len(self.graph)
        self.checkNumber("data", values)
        return [visit(mod, each) for mod, each in zip(self.graph, values, strict=True)]

    def flowBack(self, value, visit, join=None):
        return self.flow(value, visit)


def summed(followers):
    """How many of `followers` a module that can add does: an Add, and a ramp behind it."""
    if not followers or type(followers[0]) is not Add:
        return 0
    follows = followers[1] if len(followers) > 1 else None
    return 2 if type(follows) is Activation and follows.ramp() is not None else 1
