"""The cases that every module goes through in tests/Modules/test_Contract*.py: a line each."""

from math import prod

from minidl.Modules import (
    Activation,
    ActivationType,
    BatchNorm,
    BatchNorm1D,
    BatchNorm2D,
    BatchNorm3D,
    BatchNormAxes,
    BatchNormND,
    Dropout,
    Dropout2D,
    Flatten,
    Gelu,
    GroupNorm,
    Identity,
    InstanceNorm2D,
    LayerNorm,
    Linear,
    PRelu,
    Reshape,
    SoftMax,
)
from tests.Case import Case
from tests.ConvCases import convolutions
from tests.MapsCases import mapsCases
from tests.Shapes import images


def linear(insize, outsize, batch, **kwargs):
    wrong = [(batch, insize + 1), (insize,), (batch, insize, 1)]
    return Case(Linear, insize, outsize, shape=(batch, insize), wrong=wrong, **kwargs)


def activations():
    for name in (each.value for each in ActivationType):
        for shape in ((7, 5), (3, 1, 11), (1,), (13,), (2, 67), (1, 1, 1, 3), (2, 3, 5, 4),
                      (3, 2, 1, 2, 5)):
            yield Case(Activation, name, shape=shape)
        yield Case(Activation, name, shape=(5, 3, 2), inplace=True)
        yield Case(Activation, name, shape=(6, 5), slc=slice(1, 27, 3))
    yield Case(Activation, "leakyRelu", shape=(13,), args=(0.3,))
    yield Case(Activation, "elu", shape=(13, 1), args=(0.7,))
    yield Case(Activation, "clip", shape=(4, 9), args=(-0.5, 0.75))
    yield Case(Activation, "tanh", shape=(211, 307))
    yield Case(Activation, "relu", shape=(211, 307), slc=slice(5, None, 2), inplace=True)


def batchNorm(shape, kind=BatchNorm, args=(), **kwargs):
    wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:-1], (*shape, 3)]
    return Case(kind, *args, shape[1], shape=shape, wrong=wrong, **kwargs)


def batchNormND(shape, **kwargs):
    return batchNorm(shape, BatchNormND, args=(len(shape) - 2,), **kwargs)


def batchNormAxes(shape, axes, **kwargs):
    known = tuple(None if at in axes else size for at, size in enumerate(shape))
    one = next(size for size in known if size is not None)
    at = known.index(one)
    wrong = [(*shape[:at], one + 1, *shape[at + 1:]), shape[:-1], (*shape, 3)]
    return Case(BatchNormAxes, known, axes, shape=shape, wrong=wrong, **kwargs)


normOptions = [
    dict(),
    dict(epsilon=0.1),
    dict(affine=False),
    dict(unbiased=False),
    dict(fixScale=True),
    dict(learnBias=False, biasInit=0.5),
    dict(learnScale=False, scaleInit=-2.0),
    dict(useGlobalStats=True),
    dict(trackRunningStats=False),
    dict(runningStat="invstd"),
    dict(useAverages=True, updateAverages=False),
    dict(useAverages=False, runningStat="invstd", fixScale=True),
]
normShapes = {  # a shape for each of the options
    BatchNorm1D: [
        (4, 3, 5), (2, 3, 1), (7, 1, 3), (1, 3, 7), (3, 5, 11), (8, 67, 5), (2, 130, 3), (5, 2, 4),
        (64, 3, 9), (3, 257, 2), (2, 3, 1000), (31, 13, 1)],
    BatchNorm2D: [
        (2, 3, 4, 5), (1, 2, 2, 1), (5, 7, 1, 1), (3, 1, 11, 2), (1, 3, 5, 4), (13, 5, 7, 3),
        (2, 67, 3, 2), (4, 3, 2, 2), (3, 130, 1, 3), (2, 5, 17, 13), (8, 3, 1, 5), (2, 4, 31, 1)],
    BatchNorm3D: [
        (2, 3, 2, 3, 4), (1, 2, 1, 2, 1), (3, 1, 2, 2, 3), (1, 3, 3, 1, 2), (5, 2, 1, 1, 1),
        (2, 5, 3, 2, 1), (7, 3, 1, 2, 2), (2, 67, 1, 3, 1), (3, 2, 5, 3, 2), (1, 7, 2, 3, 5),
        (2, 130, 1, 1, 3), (2, 3, 7, 5, 3)],
}
axesCases = [
    ((7, 5), (0,)),
    ((5, 4), (1,)),  # of each sample on its own
    ((4, 3, 5), (0, 2)),
    ((5, 3, 4, 2), (0, 1, 2)),  # the channels last
    ((4, 2, 5), (0,)),
    ((3, 4, 5, 2), (0, 2)),
    ((3, 4, 2, 5), (1, 3)),
    ((2, 3, 4, 5), (1,)),
    ((3, 4, 5), (1, 2)),
    ((3, 2, 3, 4), (0, 1, 3)),
    ((2, 3, 2, 5, 3), (0, 2, 4)),
    ((67, 130), (0,)),
]


def sampleNorms():
    """
    Over groups of maps, each map, and the last axes. Of two numbers the gradient is nothing but
    what epsilon leaves of a difference: groups have three or more.
    """
    for groups, shape in (
            (3, (4, 9)), (1, (3, 5, 7)), (2, (3, 6, 5, 2)), (5, (2, 5, 3, 1, 2)), (3, (1, 33, 13)),
            (32, (3, 64, 7, 7)), (1, (7, 3)), (7, (2, 7, 11)), (2, (5, 34, 1)), (3, (1, 3, 1, 13)),
            (4, (2, 8, 3, 3)), (1, (2, 67, 1, 2))):
        wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:1]]
        yield Case(GroupNorm, groups, shape[1], shape=shape, wrong=wrong)
    for shape in images:
        if prod(shape[2:]) > 2:
            wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:-1], (*shape, 1)]
            yield Case(InstanceNorm2D, shape[1], shape=shape, wrong=wrong)
    for own, shape in (
            (7, (5, 7)), (130, (3, 11, 130)), ([3, 5], (2, 7, 3, 5)), ([3, 4, 5], (67, 3, 4, 5)),
            (3, (1, 3)), (13, (2, 1, 13)), ([1, 3], (5, 1, 3)), ([5, 1], (2, 3, 5, 1)),
            (11, (3, 2, 1, 11)), ([2, 67], (1, 2, 67)), ([7, 3], (2, 1, 2, 7, 3))):
        alone = tuple(own) if isinstance(own, list) else (own,)
        wrong = [(*shape[:-1], shape[-1] + 1), alone]
        yield Case(LayerNorm, own, shape=shape, wrong=wrong)
    yield Case(GroupNorm, 2, 4, shape=(3, 4, 5), epsilon=0.1, affine=False)
    yield Case(LayerNorm, 5, shape=(3, 4, 5), epsilon=1e-3, affine=False)


def norms():
    for kind, shapes in normShapes.items():
        for shape, options in zip(shapes, normOptions, strict=True):
            yield batchNorm(shape, kind, **options)
    for (shape, axes), options in zip(axesCases, normOptions, strict=True):
        yield batchNormAxes(shape, axes)
        if options:
            yield batchNormAxes(shape, axes, **options)


def preluAndGelu():
    shapes = [(3, 5), (1, 1), (2, 13, 1), (5, 1, 7), (3, 2, 11), (1, 67, 3), (2, 3, 5, 4),
              (7, 2, 1, 3), (131, 17), (2, 5, 67, 31), (1, 2, 3, 1, 5), (3, 4, 2, 3, 2)]
    for shape in shapes:
        wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:1]]
        yield Case(PRelu, shape[1], shape=shape, wrong=wrong)
        yield Case(PRelu, shape[1], shape=shape, wrong=wrong, sharedMaps=True)
        yield Case(Gelu, shape=shape)
    yield Case(Gelu, shape=(13,))


def mapDropouts():
    for p, shape in ((0.5, (3, 5, 2)), (0.1, (2, 7, 3, 4)), (0, (1, 1, 1)), (0.9, (5, 13, 1, 1)),
                     (0.3, (1, 67, 11)), (0.5, (2, 3, 17, 5)), (0.75, (4, 1, 7, 7)),
                     (0.2, (3, 2, 1, 131)), (0.5, (2, 3, 2, 3, 5)), (0.6, (1, 2, 31, 37))):
        yield Case(Dropout2D, p, shape=shape, wrong=[shape[:2], (*shape, 0)])
    yield Case(Dropout2D, 0.5, shape=(3, 4, 2, 5), inplace=True)
    yield Case(Dropout2D, 0.5, shape=(3, 4, 2, 5), slicing=slice(7, 101, 3))


plain = [
    (3, 2, 5), (1,), (13, 11), (5,), (1, 7, 3, 2), (2, 1), (7, 3, 1), (1, 2, 1, 67), (2, 31),
    (4, 1, 3, 2, 5), (3, 5, 2, 7)]
cases = [
    linear(5, 4, batch=3),
    linear(1, 1, batch=2),
    linear(7, 13, batch=1),
    linear(1, 11, batch=5),
    linear(13, 1, batch=7),
    linear(3, 130, batch=2),
    linear(257, 131, batch=67),
    linear(2, 3, batch=31),
    linear(11, 2, batch=4),
    linear(67, 5, batch=13),
    linear(5, 4, batch=3, useBias=False),
    linear(5, 4, batch=3, transpose=True),
    linear(67, 31, batch=1, transpose=True, useBias=False),
    *activations(),
    Case(Dropout, shape=(7, 5)),
    Case(Dropout, 0.1, shape=(3, 1, 11)),
    Case(Dropout, 0, shape=(13,)),
    Case(Dropout, 0.3, shape=(5, 3, 2), inplace=True),
    Case(Dropout, 0.5, shape=(6, 5), slicing=slice(1, 27, 3)),
    Case(Dropout, 0.75, shape=(211, 307)),
    *(Case(Dropout, 0.4, shape=shape) for shape in plain),
    *(Case(Flatten, shape=shape, wrong=[()]) for shape in plain),
    Case(Reshape, (0, -1), shape=(3, 2, 5), wrong=[()]),
    Case(Reshape, (-1, 5, 2), shape=(3, 2, 5), wrong=[(3, 7), ()]),
    Case(Reshape, (0, 1, 0, -1), shape=(7, 3, 4), wrong=[(7, 3)]),
    *(Case(Reshape, (0, -1, 1), shape=shape, wrong=[()]) for shape in plain),
    *(Case(Identity, shape=shape) for shape in plain),
    Case(SoftMax, shape=(5, 7), wrong=[(5,), ()]),
    Case(SoftMax, shape=(2, 1), wrong=[(5,)]),
    Case(SoftMax, shape=(1, 13, 3), wrong=[(5,)]),
    Case(SoftMax, shape=(1, 1), wrong=[(5,)]),
    Case(SoftMax, shape=(3, 11, 2), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 3, 5, 4), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 5, 3, 1, 2), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 5, 1, 1), wrong=[(5,)]),
    Case(SoftMax, shape=(307, 131), wrong=[(5,)]),
    Case(SoftMax, shape=(31, 17, 13, 5), wrong=[(5,)]),
    batchNorm((3, 6)),
    batchNorm((2, 5), epsilon=0.1),
    batchNorm((5, 1)),
    batchNorm((7, 2)),
    batchNorm((4, 13), affine=False),
    batchNorm((16, 64)),
    batchNorm((17, 65), sscale=0),
    batchNorm((31, 63)),
    batchNorm((128, 3), epsilon=1e-3),
    batchNorm((67, 131)),
    batchNorm((301, 7), initFactor=0, minFactor=0.1),
    batchNorm((11, 257), minFactor=0),
    batchNormND((3, 5)),
    batchNormND((4, 3, 2)),
    batchNormND((1, 3, 7)),
    batchNormND((2, 3, 1), epsilon=0.1),
    batchNormND((7, 1, 3)),
    batchNormND((2, 3, 4, 5)),
    batchNormND((1, 2, 3, 4)),
    batchNormND((5, 7, 1, 1)),
    batchNormND((3, 1, 11, 2)),
    batchNormND((13, 5, 7, 3), affine=False),
    batchNormND((8, 67, 17, 5), epsilon=1e-3),
    batchNormND((2, 3, 5, 2, 3)),
    batchNormND((1, 2, 3, 3, 1)),
    batchNormND((2, 1, 2, 3, 2, 2)),
    *norms(),
    *sampleNorms(),
    *preluAndGelu(),
    *mapDropouts(),
    *mapsCases,
    *convolutions(),
]
trained = [case for case in cases if case.isTrained]
