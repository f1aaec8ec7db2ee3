from minidl import Config
from minidl.Containers import InPlace
from minidl.Containers.Ordered import Ordered
from minidl.Modules.Module import ModuleError


class Sequential(Ordered):
    """
    Modules one after another: each takes what the one before gives.

        y = m_n(... m_2(m_1(x)))

    With `updGrad=False` backward stops at the first module that has parameters, and does not find
    the gradient of its input, which nobody needs. An empty one passes its data. What modules do
    together in one kernel (`fusable`), it has them do so: the results are the same.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.units = []  # of the last call: (index, module, those behind it done in its kernel)

    def checkOrder(self, graph):
        """Refuses a module in place that would overwrite what others read, there or back."""
        if not Config.disableModuleCompatChecks:
            through(graph, None, InPlace.output)
            through(reversed(graph), None, InPlace.gradient)

    def updateData(self, data):
        self.data = self.run(data)

    def run(self, data, behind=(), added=None):
        """
        The output, or that of `behind`, modules that the last one here does in its own kernel; of
        these an Add takes `added` as well.
        """
        self.units, index, last = [], 0, len(self.graph) - 1
        while index <= last:
            mod, followers = self.graph[index], behind
            if index < last:
                followers = self.graph[index + 1:index + 3]
                followers = followers[:mod.fusable(followers)]
            try:
                data = mod(data) if not followers else mod.callFused(
                    data, followers, added if index == last else None)
            except ModuleError as error:
                raise self.inside(index, error) from error
            self.units.append((index, mod, followers))
            index += 1 if index == last else 1 + len(followers)
        return data

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=1.0):
        if self.__dict__.get("data", self) is None:
            self.fail("backward needs a call with data first")
        momentum = self.momentumLeft(momentum, updParamGrads)
        self.runBack(grad, updParamGrads, updGrad, scale, momentum)

    def runBack(self, grad, updParamGrads, updGrad, scale, momentum):
        """Backward of `run`; returns the gradient of `added`."""
        self.grad, addedgrad, last = None, None, len(self.graph) - 1
        first = 0 if updGrad else self.firstTrained()
        for index, mod, followers in reversed(self.units):
            if index + len(followers) < first:
                break
            how = updParamGrads, updGrad or index > first, scale, momentum
            try:
                if not followers:
                    mod.backward(grad, *how)
                else:
                    given = mod.backwardFused(grad, followers, *how)
                    addedgrad = given if index == last else addedgrad
            except ModuleError as error:
                raise self.inside(index, error) from error
            grad = mod.grad
        self.grad = grad if updGrad else None
        return addedgrad

    # As part of a container that joins this one's last module with what is behind this one

    def fusable(self, followers):
        return self.graph[-1].fusable(followers) if self.graph else 0

    def canAdd(self):
        return bool(self.graph) and self.graph[-1].canAdd()

    def updateFused(self, data, followers, added=None):
        self.run(data, followers, added)
        self.later("data", lambda: self.graph[-1].data)

    def backwardFused(self, grad, followers, updParamGrads=True, updGrad=True, scale=1.0,
                      momentum=1.0):
        return self.runBack(grad, updParamGrads, updGrad, scale, momentum)

    def firstTrained(self):
        """The index of the first module with parameters, or the number of modules."""
        trained = (index for index, mod in enumerate(self.graph) if mod.getVarTable())
        return next(trained, len(self.graph))

    def flow(self, value, visit, split=None):
        return through(self.graph, value, visit)

    def flowBack(self, value, visit, join=None):
        return through(reversed(self.graph), value, visit)


def through(graph, value, visit):
    for mod in graph:
        value = visit(mod, value)
    return value
