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
        self.fused = {}  # {module: those behind it that it did in its own kernel in the last call}

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
        self.fused, index = {}, 0
        while index < len(self.graph):
            mod, isLast = self.graph[index], index == len(self.graph) - 1
            followers = self.graph[index + 1:index + 3]
            followers = behind if isLast else followers[:mod.fusable(followers)]
            try:
                data = mod.callFused(data, followers, added if isLast else None) if followers \
                    else mod(data)
            except ModuleError as error:
                raise self.inside(index, error) from error
            if followers and not isLast:
                self.fused[mod] = followers
                index += len(followers)
            index += 1
        return data

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=1.0):
        if self.__dict__.get("data", self) is None:
            self.fail("backward needs a call with data first")
        momentum = self.momentumLeft(momentum, updParamGrads)
        self.runBack(grad, (), updParamGrads, updGrad, scale, momentum)

    def runBack(self, grad, behind, updParamGrads, updGrad, scale, momentum):
        """Backward of `run`; returns the gradient of `added`."""
        self.grad, addedgrad = None, None
        first, end = 0 if updGrad else self.firstTrained(), len(self.graph)
        while end > first:
            index, followers = self.unitBefore(end)
            isLast, mod = end == len(self.graph), self.graph[index]
            followers = behind if isLast and behind else followers
            how = updParamGrads, updGrad or index > first, scale, momentum
            try:
                if followers:
                    given = mod.backwardFused(grad, followers, *how)
                    addedgrad = given if isLast else addedgrad
                else:
                    mod.backward(grad, *how)
            except ModuleError as error:
                raise self.inside(index, error) from error
            grad, end = mod.grad, index
        self.grad = grad if updGrad else None
        return addedgrad

    def unitBefore(self, end):
        """(index of a module, those behind it up to `end` that it did in its own kernel)"""
        for index in range(max(end - 3, 0), end - 1):
            followers = self.graph[index + 1:end]
            if self.fused.get(self.graph[index]) == followers:
                return index, followers
        return end - 1, ()

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
        return self.runBack(grad, followers, updParamGrads, updGrad, scale, momentum)

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
