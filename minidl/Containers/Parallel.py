from minidl.Containers.Container import Container
from minidl.Modules.Activation import Activation
from minidl.Modules.Add import Add
from minidl.Modules.Module import ModuleError


class Parallel(Container):
    """
    Modules side by side: each takes its own entry of a list of data.

        y_i = m_i(x_i)

    `net[i]` and `net["name"]` are a module, and `net[i:j:k]` is a Parallel of the same modules.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.graph = []

    def append(self, mod):
        """Adds `mod` as the last one; returns the container, so that calls can be chained."""
        self.acquire(mod)
        self.graph.append(mod)
        return self

    def extend(self, mods):
        """Adds all modules of a list or of another Parallel."""
        for mod in mods:
            self.append(mod)
        return self

    def pop(self):
        """Removes the last module and returns it."""
        if not self.graph:
            self.fail("has no module to pop")
        return self.removeModule(self.graph[-1])

    def removeModule(self, mod):
        super().removeModule(mod)
        self.graph.remove(mod)
        return mod

    def updateData(self, data):
        self.data = [self.at(i, mod, data[i]) for i, mod in enumerate(self.graph)]

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=1.0):
        if self.inData is None:
            self.fail("backward needs a call with data first")
        grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
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
        if len(self.graph) != 2 or self.summing() is None or not followers \
                or type(followers[0]) is not Add:
            return 0
        follows = followers[1] if len(followers) > 1 else None
        return 2 if type(follows) is Activation and follows.ramp() is not None else 1

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

    def dataShapeFrom(self, shape):
        return [mod.dataShapeFrom(each) for mod, each in zip(self.graph, shape, strict=True)]

    def gradShapeFrom(self, shape):
        return [mod.gradShapeFrom(each) for mod, each in zip(self.graph, shape, strict=True)]

    def __getitem__(self, key):
        if isinstance(key, slice):
            return Parallel(self.name).extend(self.graph[key])
        return self.graph[key] if isinstance(key, int) else super().__getitem__(key)

    def __iter__(self):
        return iter(self.graph)

    def __len__(self):
        return len(self.graph)

    def getBlueprint(self):
        return {**super().getBlueprint(), "graph": [mod.name for mod in self.graph]}
