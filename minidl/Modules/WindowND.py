from minidl.Modules.MapsModule import MapsModule


class WindowND(MapsModule):
    """
    A window that slides over data: what convolutions and pools have in common.

    Data: (batch, maps, 1 to 3 sizes). A subclass gives `geometry(shape)`, the ConvGeometry for data
    of `shape`, and maybe `inmaps`, the number of maps that it takes.
    """

    inmaps = None  # any number

    def __init__(self, nd, name):
        super().__init__(nd, name)
        if nd not in (1, 2, 3):
            self.fail(f"nd must be 1, 2 or 3, got {nd}")

    def checkDataShape(self, shape):
        if len(shape) != self.nd + 2 or self.inmaps not in (None, shape[1]):
            maps = f" and {self.inmaps} maps" if self.inmaps else ""
            self.fail(f"data must have {self.nd + 2} axes{maps}, got {shape}")
        self.checkNumbers(shape)

    def dataShapeFrom(self, shape):
        try:
            return self.geometry(shape).outShape
        except ValueError as error:
            self.fail(str(error))
