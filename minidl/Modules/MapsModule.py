from math import prod

from minidl.Modules.Module import Module, isCount


class MapsModule(Module):
    """
    What modules that know the axes of space have in common.

    Args:
        nd: number of axes behind (batch, maps).

    Data: (batch, maps, nd sizes).
    """

    def __init__(self, nd, name=None):
        super().__init__(name)
        self.nd = nd

    def perAxis(self, word, value, least, number=None):
        """`value`, the argument `word`, as a tuple of `number` integers: one for each axis."""
        number = number or self.nd
        values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * number
        if len(values) != number or not all(
                isCount(each) or each == least == 0 for each in values):
            self.fail(f"{word} must be an integer of at least {least}, or {number} of them, got "
                      f"{value}")
        return values

    def checkDataShape(self, shape):
        if not isinstance(shape, tuple) or len(shape) != self.nd + 2:
            self.fail(f"data must have {self.nd + 2} axes, got shape {shape}")
        self.checkNumbers(shape)

    def checkNumbers(self, shape):
        if not 0 < prod(shape) < 2 ** 31:
            self.fail(f"data must have from 1 to 2**31 - 1 numbers, got shape {shape}")
        outShape = self.dataShapeFrom(shape)
        if prod(outShape) >= 2 ** 31:
            self.fail(f"the output must have fewer than 2**31 numbers, got shape {outShape}")

    def gradShapeFrom(self, shape):
        return self.inData.shape
