from minidl.Backend.ConvGeometry import geometry
from minidl.Modules.WindowND import WindowND


class PoolND(WindowND):
    """
    Puts one number in place of what a window sees of each map: what all pools have in common.

    Args:
        nd: number of axes behind (batch, maps), from 1 to 3.
        size: of the window: a number, or one for each axis; so stride and pad.
        stride: steps from place to place.
        pad: how far the window may reach beyond both ends; less than size.

    Data: (batch, maps, *sizes) -> (batch, maps, *places), with
    places = (size + 2 pad - window) // stride + 1.
    """

    def __init__(self, nd, size, stride, pad, name):
        super().__init__(nd, name)
        self.size, self.stride = self.perAxis("size", size, 1), self.perAxis("stride", stride, 1)
        self.pad = self.perAxis("pad", pad, 0)
        if not all(pad < size for pad, size in zip(self.pad, self.size, strict=True)):
            self.fail(f"pad must be less than size {self.size}, got {self.pad}")

    def geometry(self, shape):
        maps, once = shape[1], (1,) * self.nd
        return geometry(shape, (maps, 1, *self.size), self.stride, self.pad, once, groups=maps)
