"""Modules whose data or output are lists, or that need another's call: gradients go by these."""

import numpy as np

from minidl.Backend import gpuarray
from minidl.Modules import Add, DepthConcat, MaxPool2D, MaxUnpool2D, Replicate, SpatialTf
from tests.Case import Case
from tests.Shapes import images


class ListCase(Case):
    """Its shape is a list of those of data."""

    def data(self, rng):
        return [rng.standard_normal(shape) for shape in self.shape]


class SpatialCase(ListCase):
    """Looks at more or less the whole of the maps."""

    def data(self, rng):
        x, theta = super().data(rng)
        return [x, 0.9 * np.eye(2, 3) + 0.2 * theta]


class UnpoolCase(Case):
    """The arguments are those of the pool, which is called first, with data of `poolShape`."""

    def __init__(self, poolShape, *args):
        heights = MaxPool2D(*args).dataShapeFrom(poolShape)
        super().__init__(MaxUnpool2D, *args, shape=heights)
        self.poolShape = poolShape

    def make(self, rng, train=True):
        pool = MaxPool2D(*self.args)
        module = MaxUnpool2D(pool)
        pool(gpuarray.to_gpu(self.data(rng, self.poolShape)))
        module.trainMode() if train else module.evalMode()
        return module


sums = [
    (2, (3,)), (3, (4, 1, 7)), (2, (1, 1)), (5, (2, 3, 5, 2)), (2, (13, 11)), (4, (1, 7, 1)),
    (3, (5, 2, 1, 3)), (2, (2, 67)), (2, (131, 3)), (3, (1, 2, 3, 1, 2)), (2, (7, 5, 3))]
concats = [
    [(3, 4, 5, 7)], [(2, 3, 4, 5), (2, 1, 4, 5)], [(1, 2, 3, 3), (1, 5, 7, 5)],
    [(1, 1, 1, 1), (1, 1, 2, 2), (1, 1, 3, 3)], [(3, 2, 8, 1), (3, 4, 1, 8)],
    [(2, 7, 5, 2), (2, 3, 2, 11), (2, 1, 13, 3)],
    [(5, 1, 2, 7), (5, 1, 3, 7), (5, 2, 4, 7), (5, 1, 5, 7)], [(1, 34, 3, 4), (1, 2, 5, 3)],
    [(4, 2, 1, 13), (4, 3, 1, 6)], [(2, 3, 11, 1), (2, 2, 4, 1)], [(7, 1, 3, 2), (7, 1, 2, 3)],
    [(2, 5, 6, 6), (2, 5, 3, 3), (2, 5, 6, 6)], [(3, 17, 31, 29), (3, 13, 28, 31)]]
outSizes = [None, (6, 3), (3, 5), (4, 3), (1, 1), (1, 7), (6, 1), None, (13, 2), (2, 3), None,
            (7, 11)]
unpools = [
    ((3, 2, 6, 8), 2, 2, 0), ((2, 3, 7, 5), 2, 2, 0), ((1, 1, 2, 2), 2, 2, 0),
    ((2, 1, 9, 11), 3, 3, 1), ((1, 3, 13, 1), (2, 1), 2, 0), ((2, 5, 7, 7), 1, 2, 0),
    ((5, 1, 8, 3), (4, 2), (4, 1), 0), ((2, 3, 9, 11), 3, 2, 1), ((1, 2, 5, 7), 3, 1, 1),
    ((1, 1, 1, 17), (1, 5), (1, 2), (0, 2)), ((4, 2, 6, 6), 2, 3, 0), ((2, 2, 31, 37), 3, 2, 0)]


listCases = [
    *(ListCase(Add, shape=[shape] * number) for number, shape in sums),
    *(Case(Replicate, number, shape=shape) for number, shape in sums),
    *(ListCase(DepthConcat, shape=shapes) for shapes in concats),
    *(SpatialCase(SpatialTf, size and (shape[1], *size), shape=[shape, (shape[0], 2, 3)])
      for shape, size in zip(images, outSizes, strict=True)),
    *(UnpoolCase(*window) for window in unpools),
]
