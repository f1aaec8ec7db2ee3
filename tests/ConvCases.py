"""The cases of convolutions and transposed ones; see Cases.py."""

from minidl.Modules import Conv1D, Conv2D, Conv3D, Deconv1D, Deconv2D, Deconv3D
from tests.Case import Case

# (shape of data, outmaps, size, options); a module's arguments are lists in its blueprint
convShapes = {
    Conv1D: [
        ((3, 2, 13), 5, 4, {}), ((1, 1, 1), 1, 1, {}), ((2, 3, 17), 4, 3, dict(stride=2, pad=1)),
        ((5, 4, 11), 6, 2, dict(dilation=3, groups=2)), ((1, 33, 7), 35, 3, dict(pad=2)),
        ((7, 1, 2), 3, 2, dict(pad=1, useBias=False)), ((2, 6, 5), 6, 3, dict(groups=6, pad=1)),
        ((2, 3, 67), 2, 11, dict(stride=3)), ((4, 5, 3), 9, 1, dict(stride=2)),
        ((3, 7, 1), 2, 3, dict(pad=1)), ((2, 9, 10), 3, 3, dict(stride=4, pad=2, groups=3)),
        ((1, 2, 131), 17, 5, dict(stride=2, pad=3, dilation=7))],
    Conv2D: [
        ((3, 2, 4, 5), 3, 3, {}), ((1, 1, 1, 1), 1, 1, {}), ((2, 5, 8, 11), 3, 1, {}),
        ((3, 1, 9, 4), 16, [3, 2], dict(pad=[1, 0])),
        ((1, 4, 7, 5), 34, 3, dict(stride=2, pad=1, useBias=False)),
        ((2, 6, 9, 9), 6, 3, dict(groups=6, pad=1)),
        ((2, 4, 10, 7), 6, 3, dict(groups=2, stride=[2, 3], pad=[2, 1])),
        ((1, 3, 13, 12), 2, [5, 4], dict(stride=[3, 1], pad=[2, 3], dilation=[2, 1])),
        ((2, 2, 6, 6), 3, 2, dict(stride=4)), ((2, 3, 13, 1), 5, [4, 1], {}),
        ((5, 7, 1, 3), 2, 3, dict(pad=1)), ((3, 33, 6, 5), 32, 3, dict(pad=1)),
        ((1, 67, 5, 7), 33, 3, dict(pad=2)), ((2, 1, 17, 31), 3, 11, dict(stride=4, pad=5)),
        ((3, 10, 5, 4), 15, 3, dict(groups=5, dilation=2, pad=2)),
        ((2, 17, 4, 4), 49, 4, dict(pad=3)),
        ((5, 40, 13, 30), 50, 3, dict(pad=[1, 2], useBias=False))],
    Conv3D: [
        ((1, 2, 3, 4, 5), 3, 2, {}), ((1, 1, 1, 1, 1), 1, 1, {}),
        ((2, 3, 5, 3, 4), 4, [2, 3, 1], dict(pad=[0, 1, 0], stride=[1, 2, 1])),
        ((2, 4, 4, 5, 3), 2, 2, dict(groups=2, dilation=[1, 2, 1], pad=1)),
        ((3, 1, 2, 2, 7), 5, 3, dict(pad=1)), ((1, 3, 1, 7, 2), 2, [1, 3, 2], {}),
        ((2, 5, 3, 1, 3), 5, [3, 1, 2], dict(groups=5, useBias=False)),
        ((5, 2, 2, 3, 2), 1, 2, dict(stride=2)), ((1, 7, 4, 3, 3), 35, 3, dict(pad=[1, 0, 2])),
        ((2, 2, 5, 5, 1), 3, [5, 3, 1], dict(stride=[1, 2, 1], pad=[2, 0, 0])),
        ((1, 33, 2, 3, 2), 2, 2, dict(dilation=[1, 2, 1])),
        ((3, 6, 2, 1, 11), 3, [2, 1, 5], dict(groups=3, stride=[1, 1, 3]))],
    Deconv1D: [
        ((3, 2, 7), 3, 2, {}), ((1, 1, 1), 1, 1, {}),
        ((1, 4, 5), 6, 3, dict(stride=3, pad=1, postpad=2, groups=2)),
        ((2, 3, 1), 1, 5, dict(stride=2, dilation=2, useBias=False)),
        ((5, 3, 3), 7, 4, dict(pad=1)), ((2, 6, 4), 6, 2, dict(stride=2, groups=6)),
        ((1, 33, 6), 34, 3, dict(pad=1)), ((7, 1, 2), 2, 3, dict(stride=5, postpad=4)),
        ((2, 5, 31), 3, 11, dict(stride=2, pad=4)), ((4, 2, 9), 1, 1, dict(stride=3)),
        ((2, 9, 11), 3, 2, dict(groups=3, dilation=4, postpad=3))],
    Deconv2D: [
        ((3, 2, 4, 5), 3, 3, {}), ((1, 1, 1, 1), 1, 1, {}),
        ((2, 3, 5, 3), 5, 4, dict(stride=2, pad=1)),
        ((2, 4, 3, 7), 2, 1, dict(stride=2, postpad=1, groups=2)),
        ((2, 6, 1, 5), 3, [3, 2], dict(stride=[2, 1], groups=3)),
        ((1, 3, 4, 2), 2, 3, dict(dilation=[1, 2], postpad=[0, 1])),
        ((2, 5, 3, 3), 5, 2, dict(stride=2, groups=5)),
        ((3, 1, 11, 2), 7, 5, dict(pad=2, useBias=False)), ((2, 33, 6, 5), 32, 3, dict(pad=1)),
        ((1, 67, 4, 3), 2, 3, dict(stride=2, pad=1, postpad=1)),
        ((2, 3, 13, 1), 4, [2, 1], dict(stride=[3, 1])), ((5, 7, 2, 6), 1, 1, {}),
        ((1, 2, 5, 4), 3, 11, dict(pad=5))],
    Deconv3D: [
        ((2, 2, 3, 2, 4), 3, 2, dict(stride=2)), ((1, 1, 1, 1, 1), 1, 1, {}),
        ((1, 4, 1, 3, 2), 2, [1, 3, 2], dict(pad=[0, 1, 0], groups=2)),
        ((3, 1, 2, 2, 5), 4, 3, dict(pad=1)), ((1, 3, 3, 1, 2), 5, [2, 1, 3], {}),
        ((2, 5, 2, 3, 1), 5, [2, 2, 1], dict(groups=5, useBias=False)),
        ((5, 2, 1, 2, 3), 1, 2, dict(stride=[1, 2, 3], postpad=[0, 1, 2])),
        ((1, 7, 2, 2, 3), 34, 2, dict(pad=[1, 0, 1])),
        ((2, 3, 4, 1, 7), 2, [3, 1, 2], dict(dilation=[2, 1, 3])),
        ((1, 33, 2, 3, 2), 2, 2, dict(stride=2, pad=1, postpad=1)),
        ((3, 6, 2, 1, 11), 3, [2, 1, 5], dict(groups=3, stride=[1, 1, 3]))],
}


def convolutions():
    for kind, table in convShapes.items():
        for shape, outmaps, size, options in table:
            wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:-1], (*shape, 2)]
            yield Case(kind, shape[1], outmaps, size, shape=shape, wrong=wrong, **options)
