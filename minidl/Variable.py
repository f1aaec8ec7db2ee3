"""A trained parameter: its data, its gradient, and what an optimizer should know about it."""

from minidl import Config
from minidl.Backend import gpuarray


class Variable:
    """
    Args:
        data: array on the device.
        name: for messages; a running number if None.
        withgrad: whether it has a gradient (never under Config.globalEvalMode).
        grad: the gradient's array, of data's shape; zeros if None.
        updater: function of (variable, learnRate) that takes the optimizer's place.
        postUpdater: function of (variable), called after each update.

    learnRate and momRate multiply the optimizer's; wc multiplies the rate of weight decay, so that
    a variable with wc = 0 does not decay. numOfWeights, which optimizers set, says how many of its
    elements, the first ones, are weights, not biases or parameters of normalizations.
    """

    index = 0

    def __init__(self, data, name=None, withgrad=True, grad=None, updater=None, postUpdater=None):
        if name is None:
            name = str(Variable.index)
            Variable.index += 1
        if grad is None and withgrad and not Config.globalEvalMode:
            grad = gpuarray.zeros(data.shape, data.dtype)
        if grad is not None and grad.shape != data.shape:
            raise ValueError(
                f"Variable {name}: grad must have the shape of data {data.shape}, got {grad.shape}")

        self.name, self.data, self.grad = name, data, grad
        self.learnRate, self.momRate, self.wc = 1.0, 1.0, 0.0
        self.updater, self.postUpdater = updater, postUpdater
        self.numOfWeights = data.size

    @property
    def hasUpdater(self):
        return self.updater is not None

    @property
    def hasPostUpdater(self):
        return self.postUpdater is not None

    def update(self, learnRate):
        self.updater(self, learnRate)

    def postUpdate(self):
        self.postUpdater(self)

    def set(self, other):
        """Takes over the values of another variable's data and gradient."""
        self.data.set(other.data.get())
        if self.grad is not None and other.grad is not None:
            self.grad.set(other.grad.get())

    def __repr__(self):
        return f"Variable {self.name} {self.data.shape} {self.data.dtype}"
