from math import prod

from minidl.Modules.Module import Module, isCount


class WindowND(Module):
    """
    A window that slides over data: what convolutions and pools have in common.

    Data: (batch, maps, 1 to 3 sizes). A subclass gives `geometry(shape)`, the ConvGeometry for data
    of `shape`, and maybe `inmaps`, the number of maps that it takes.
    """

    inmaps = None  # any number

    def __init__(self, nd, name):
        super().__init__(name)
        if nd not in (1, 2, 3):
            self.fail(f"nd must be 1, 2 or 3, got {nd}")
        self.nd = nd

    def perAxis(self, name, value, least):
        values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.nd
        if len(values) != self.nd or not all(
                isCount(each) or each == least == 0 for each in values):
            self.fail(f"{name} must be an integer of at least {least}, or {self.nd} of them, got "
                      f"{value}")
        return values

    def checkDataShape(self, shape):
        if len(shape) != self.nd + 2 or self.inmaps not in (None, shape[1]):
            maps = f" and {self.inmaps} maps" if self.inmaps else ""
            self.fail(f"data must have {self.nd + 2} axes{maps}, got {shape}")
        if not 0 < prod(shape) < 2 ** 31:
            self.fail(f"data must have from 1 to 2**31 - 1 numbers, got shape {shape}")
        outShape = self.dataShapeFrom(shape)
        if prod(outShape) >= 2 ** 31:
            self.fail(f"the output must have fewer than 2**31 numbers, got shape {outShape}")

    def dataShapeFrom(self, shape):
        try:
            return self.geometry(shape).outShape
        except ValueError as error:
            self.fail(str(error))

    def gradShapeFrom(self, shape):
        return self.inData.shape
