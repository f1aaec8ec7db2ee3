"""The cases of modules that know the axes of space; see Cases.py."""

from minidl.Modules import (
    LCN,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    CrossMapLRN,
    GlobalAvgPool,
    MapLRN,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Pad1D,
    Pad2D,
    SubtractMean,
    Upsample2D,
    Upsample3D,
)
from tests.Case import Case
from tests.Shapes import images, sequences, volumes


def pools():
    """Windows that overlap, touch or leave gaps, that reach beyond an edge or leave some out."""
    line, plane, volume = (MaxPool1D, AvgPool1D), (MaxPool2D, AvgPool2D), (MaxPool3D, AvgPool3D)
    for kinds, shape, *args in (
            (line, (3, 2, 7)),
            (line, (2, 5, 11), 3, 1, 1),
            (line, (1, 1, 1), 1, 3),
            (line, (4, 3, 13), 5, 4, 2),
            (line, (2, 1, 4), 3, 1, 0),
            (line, (5, 2, 1), 2, 2, 1),
            (line, (1, 7, 9), 2, 5),
            (line, (7, 1, 2), 1, 1),
            (line, (2, 3, 67), 7, 3, 3),
            (line, (1, 5, 131), 4, 4, 1),
            (plane, (3, 2, 6, 8)),
            (plane, (2, 3, 7, 5)),
            (plane, (2, 3, 9, 11), 3, 2, 1),
            (plane, (1, 2, 8, 13), 3, 2),
            (plane, (1, 1, 1, 1), 2, 2, 1),
            (plane, (2, 1, 5, 2), 3, 1, 1),
            (plane, (3, 2, 7, 10), (2, 3), (3, 1), (1, 0)),
            (plane, (1, 3, 11, 3), (5, 1), (2, 3), (2, 0)),
            (plane, (5, 7, 17, 31), 3, 2, 1),
            (plane, (2, 3, 13, 1), (4, 1), 1),
            (volume, (2, 3, 5, 4, 7)),
            (volume, (1, 2, 6, 3, 5), 3, 2, 1),
            (volume, (2, 1, 1, 7, 3), (1, 2, 3), (1, 3, 2), (0, 1, 1)),
            (volume, (3, 2, 4, 4, 2)),
            (volume, (1, 1, 1, 1, 1), 1, 2),
            (volume, (2, 3, 3, 2, 5), 2, 1, 1),
            (volume, (1, 5, 7, 1, 2), (3, 1, 2), 2),
            (volume, (5, 1, 2, 3, 2), 2, 3, 1),
            (volume, (2, 2, 3, 5, 11), 3, (1, 2, 4), 1),
            (volume, (1, 7, 2, 1, 13), (2, 1, 4), (2, 1, 5), (1, 0, 2))):
        wrong = [shape[:-1], (*shape, 2), shape[:-1] + (0,)]
        for kind in kinds:
            yield Case(kind, *args, shape=shape, wrong=wrong)
    yield Case(AvgPool1D, 3, 2, 1, shape=(2, 3, 7), includePad=False)
    yield Case(AvgPool2D, shape=(2, 1, 6, 8), includePad=False)
    yield Case(AvgPool2D, 3, 2, 2, shape=(2, 3, 7, 6), includePad=False)
    yield Case(AvgPool2D, 3, 2, 1, shape=(1, 2, 9, 9), includePad=False)
    yield Case(AvgPool3D, 2, 2, 1, shape=(1, 2, 4, 3, 5), includePad=False)
    yield Case(MaxPool2D, shape=(3, 2, 5, 7), useMask=True)


def onMaps(kind, shapes, *args, **kwargs):
    for shape in shapes:
        yield Case(kind, *args, shape=shape, wrong=[shape[1:], (*shape, 1), ()], **kwargs)


def pads():
    yield from onMaps(Pad1D, sequences[::2], 2)
    yield from onMaps(Pad1D, sequences[1::2], (3, 0), fillValue=-1.5)
    yield from onMaps(Pad1D, sequences, 1, mode="reflect")
    yield from onMaps(Pad1D, [(2, 3, 5), (1, 2, 7)], (4, 2), mode="reflect")
    yield from onMaps(Pad2D, images[::2], 1)
    yield from onMaps(Pad2D, images[1::2], (1, 0, 2, 3), fillValue=0.5)
    yield from onMaps(Pad2D, [s for s in images if min(s[2:]) > 1], 1, mode="reflect")
    yield from onMaps(Pad2D, [s for s in images if s[2] > 1], (1, 1, 0, 0), mode="reflect")
    yield from onMaps(Pad2D, [(2, 3, 4, 5), (1, 2, 5, 7)], (3, 2, 1, 4), mode="reflect")


def upsamples():
    for mode in ("nearest", "linear"):
        yield from onMaps(Upsample2D, images[::2], mode=mode)
        yield from onMaps(Upsample2D, images[1::2], (3, 1), mode=mode)
        yield from onMaps(Upsample2D, images[:4], (2, 5), mode=mode)
        yield from onMaps(Upsample3D, volumes[::2], mode=mode)
        yield from onMaps(Upsample3D, volumes[1::2], (1, 3, 2), mode=mode)
        yield from onMaps(Upsample3D, volumes[:2], (3, 2, 4), mode=mode)


def localNorms():
    for kind in (CrossMapLRN, MapLRN):
        yield from onMaps(kind, images, alpha=0.7)
        yield from onMaps(kind, images[:4], 4, 0.5, 1.5, 0.3)
        yield from onMaps(kind, images[2:6], 1, 2.0, 0.5, 1.0)
    yield from onMaps(LCN, images, alpha=0.7)
    yield from onMaps(LCN, images[::2], 3, 2.0, 1.5, 0.3, includePad=False)
    yield from onMaps(SubtractMean, images)
    yield from onMaps(SubtractMean, images[::2], 3, includePad=False)


def globalPools():
    for shape in (
            (3, 2, 7), (1, 1, 1), (4, 3, 1), (2, 5, 13), (2, 3, 5, 4), (1, 7, 1, 1), (5, 1, 3, 11),
            (3, 67, 2, 2), (2, 2, 17, 19), (2, 3, 3, 2, 5), (1, 2, 1, 7, 3), (2, 1, 131, 67)):
        yield Case(GlobalAvgPool, shape=shape, wrong=[shape[:2], (*shape, 0)])


mapsCases = [*pools(), *globalPools(), *pads(), *upsamples(), *localNorms()]
