from itertools import accumulate
from math import prod

from minidl.Backend.gpuarray import empty
from minidl.Backend.Ops import Pad as Ops
from minidl.Modules.Module import Module


class DepthConcat(Module):
    """
    The maps of several arrays one behind another; smaller maps stand in the middle of zeros.

        y[n, c_k + c, (H - h_k) // 2 + i, (W - w_k) // 2 + j] = x_k[n, c, i, j]

    where c_k is the number of maps of the arrays before x_k, and H and W are the largest h_k and
    w_k. (Szegedy et al. 2014)

    Data: a list of arrays (batch, maps_k, h_k, w_k) -> (batch, sum of maps_k, H, W).
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())

    def updateData(self, data):
        shape = self.dataShapeFrom([each.shape for each in data])
        out = empty(shape, data[0].dtype)
        for each, (firstMap, starts) in zip(data, self.places(data, shape), strict=True):
            Ops.constant(each, shape, starts, 0.0, out, firstMap)
        self.data = out

    def updateGrad(self, grad):
        self.grad = [
            Ops.cut(grad, each.shape, starts, firstMap) for each, (firstMap, starts) in zip(
                self.inData, self.places(self.inData, grad.shape), strict=True)]

    def places(self, data, shape):
        """(first map, (first row, first column)) of each array in the output."""
        firstMaps = accumulate((each.shape[1] for each in data[:-1]), initial=0)
        starts = (((shape[2] - each.shape[2]) // 2, (shape[3] - each.shape[3]) // 2)
                  for each in data)
        return zip(firstMaps, starts, strict=True)

    def checkDataShape(self, shape):
        if not isinstance(shape, list) or not shape or any(
                len(each) != 4 or each[0] != shape[0][0] or 0 in each for each in shape):
            self.fail(f"data must be a list of arrays (batch, maps, height, width) of one batch, "
                      f"each of one number or more, got {shape}")
        outShape = self.dataShapeFrom(shape)
        if prod(outShape) >= 2 ** 31:
            self.fail(f"the output must have fewer than 2**31 numbers, got shape {outShape}")

    def dataShapeFrom(self, shape):
        batches, maps, heights, widths = zip(*shape, strict=True)
        return batches[0], sum(maps), max(heights), max(widths)

    def gradShapeFrom(self, shape):
        return [each.shape for each in self.inData]
