"""The cases that every module goes through in tests/Modules/test_Contract*.py: a line each."""

import numpy as np

from minidl.Backend import gpuarray
from minidl.Modules import (
    Activation,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    BatchNorm,
    BatchNormND,
    Deconv1D,
    Deconv2D,
    Deconv3D,
    Dropout,
    Dropout2D,
    Flatten,
    Gelu,
    GlobalAvgPool,
    Identity,
    Linear,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    PRelu,
    Reshape,
    SoftMax,
)


class Case:
    """A way to make a module, the shape of data for it, and shapes that it must refuse."""

    def __init__(self, kind, *args, shape, wrong=(), **kwargs):
        self.kind, self.args, self.kwargs = kind, args, kwargs
        self.shape, self.wrong = shape, wrong

    def make(self, rng, train=True):
        """The module, with random parameters and statistics."""
        module = self.kind(*self.args, **self.kwargs, name="probe")
        for var in module.vars.values():
            var.data.set(rng.uniform(-2, 2, var.data.shape).astype(np.float32))
        if module.hasAttr("mean"):
            module.mean.set(rng.standard_normal(module.mean.shape).astype(np.float32))
            module.var.set(rng.uniform(0.5, 2, module.var.shape).astype(np.float32))
        module.trainMode() if train else module.evalMode()
        return module

    def data(self, rng, shape=None):
        return rng.standard_normal(shape or self.shape).astype(np.float32)

    @property
    def inplace(self):
        return self.kwargs.get("inplace", False)

    @property
    def takesAnyDtype(self):
        return issubclass(self.kind, Identity)

    def __repr__(self):
        words = [*map(str, self.args), *(f"{key}={value}" for key, value in self.kwargs.items())]
        return f"{self.kind.__name__}({','.join(words)})-{'x'.join(map(str, self.shape))}"


def linear(insize, outsize, batch, **kwargs):
    wrong = [(batch, insize + 1), (insize,), (batch, insize, 1)]
    return Case(Linear, insize, outsize, shape=(batch, insize), wrong=wrong, **kwargs)


def activations():
    for name in ("sigmoid", "tanh", "relu", "leakyRelu", "elu", "softPlus", "clip"):
        yield Case(Activation, name, shape=(7, 5))
        yield Case(Activation, name, shape=(3, 1, 11))
        yield Case(Activation, name, shape=(5, 3, 2), inplace=True)
        yield Case(Activation, name, shape=(6, 5), slc=slice(1, 27, 3))
    yield Case(Activation, "leakyRelu", shape=(13,), args=(0.3,))
    yield Case(Activation, "elu", shape=(13, 1), args=(0.7,))
    yield Case(Activation, "clip", shape=(4, 9), args=(-0.5, 0.75))
    yield Case(Activation, "tanh", shape=(211, 307))
    yield Case(Activation, "relu", shape=(211, 307), slc=slice(5, None, 2), inplace=True)


def batchNorm(shape, **kwargs):
    wrong = [(shape[0], shape[1] + 1), (shape[1],), (*shape, 3)]
    return Case(BatchNorm, shape[1], shape=shape, wrong=wrong, **kwargs)


def batchNormND(shape, **kwargs):
    wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:-1], (*shape, 3)]
    return Case(BatchNormND, len(shape) - 2, shape[1], shape=shape, wrong=wrong, **kwargs)


def pools():
    """Windows that overlap, touch or leave gaps, that reach beyond an edge or leave some out."""
    line, plane, volume = (MaxPool1D, AvgPool1D), (MaxPool2D, AvgPool2D), (MaxPool3D, AvgPool3D)
    for kinds, shape, *args in (
            (line, (3, 2, 7)),
            (line, (2, 5, 11), 3, 1, 1),
            (line, (1, 1, 1), 1, 3),
            (line, (4, 3, 13), 5, 4, 2),
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
            (volume, (2, 1, 1, 7, 3), (1, 2, 3), (1, 3, 2), (0, 1, 1))):
        wrong = [shape[:-1], (*shape, 2), shape[:-1] + (0,)]
        for kind in kinds:
            yield Case(kind, *args, shape=shape, wrong=wrong)
    yield Case(AvgPool1D, 3, 2, 1, shape=(2, 3, 7), includePad=False)
    yield Case(AvgPool2D, shape=(2, 1, 6, 8), includePad=False)
    yield Case(AvgPool2D, 3, 2, 2, shape=(2, 3, 7, 6), includePad=False)
    yield Case(AvgPool2D, 3, 2, 1, shape=(1, 2, 9, 9), includePad=False)
    yield Case(AvgPool3D, 2, 2, 1, shape=(1, 2, 4, 3, 5), includePad=False)
    yield Case(MaxPool2D, shape=(3, 2, 5, 7), useMask=True)


def deconvolutions():
    for kind, shape, args in (
            (Deconv1D, (3, 2, 7), dict(outmaps=3, size=2)),
            (Deconv1D, (1, 4, 5), dict(outmaps=6, size=3, stride=3, pad=1, postpad=2, groups=2)),
            (Deconv1D, (2, 3, 1), dict(outmaps=1, size=5, stride=2, dilation=2, useBias=False)),
            (Deconv2D, (3, 2, 4, 5), dict(outmaps=3, size=3)),
            (Deconv2D, (2, 3, 5, 3), dict(outmaps=5, size=4, stride=2, pad=1)),
            (Deconv2D, (1, 1, 1, 1), dict(outmaps=1, size=1)),
            (Deconv2D, (2, 4, 3, 7), dict(outmaps=2, size=1, stride=2, postpad=1, groups=2)),
            (Deconv2D, (2, 6, 1, 5), dict(outmaps=3, size=[3, 2], stride=[2, 1], groups=3)),
            (Deconv2D, (1, 3, 4, 2), dict(outmaps=2, size=3, dilation=[1, 2], postpad=[0, 1])),
            (Deconv2D, (2, 5, 3, 3), dict(outmaps=5, size=2, stride=2, groups=5)),
            (Deconv2D, (3, 1, 11, 2), dict(outmaps=7, size=5, pad=2, useBias=False)),
            (Deconv3D, (2, 2, 3, 2, 4), dict(outmaps=3, size=2, stride=2)),
            (Deconv3D, (1, 4, 1, 3, 2), dict(outmaps=2, size=[1, 3, 2], pad=[0, 1, 0], groups=2))):
        wrong = [(shape[0], shape[1] + 1, *shape[2:]), shape[:-1], (*shape, 2)]
        yield Case(kind, shape[1], shape=shape, wrong=wrong, **args)


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


cases = [
    linear(5, 4, batch=3),
    linear(1, 1, batch=2),
    linear(7, 13, batch=1),
    linear(1, 11, batch=5),
    linear(13, 1, batch=7),
    linear(3, 130, batch=2),
    linear(257, 131, batch=67),
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
    Case(Flatten, shape=(3, 2, 5), wrong=[()]),
    Case(Flatten, shape=(1, 7, 3, 2), wrong=[()]),
    Case(Flatten, shape=(13, 11), wrong=[()]),
    Case(Flatten, shape=(5,), wrong=[()]),
    Case(Reshape, (0, -1), shape=(3, 2, 5), wrong=[()]),
    Case(Reshape, (-1, 5, 2), shape=(3, 2, 5), wrong=[(3, 7), ()]),
    Case(Reshape, (0, 1, 0, -1), shape=(7, 3, 4), wrong=[(7, 3)]),
    Case(Identity, shape=(3, 2, 5)),
    Case(Identity, shape=(1,)),
    Case(SoftMax, shape=(5, 7), wrong=[(5,), ()]),
    Case(SoftMax, shape=(1, 1), wrong=[(5,)]),
    Case(SoftMax, shape=(3, 11, 2), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 3, 5, 4), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 5, 3, 1, 2), wrong=[(5,)]),
    Case(SoftMax, shape=(2, 5, 1, 1), wrong=[(5,)]),
    Case(SoftMax, shape=(307, 131), wrong=[(5,)]),
    Case(SoftMax, shape=(31, 17, 13, 5), wrong=[(5,)]),
    *pools(),
    *deconvolutions(),
    *preluAndGelu(),
    *mapDropouts(),
    *(Case(GlobalAvgPool, shape=shape, wrong=[shape[:2], (*shape, 0)]) for shape in (
        (3, 2, 7), (1, 1, 1), (4, 3, 1), (2, 5, 13), (2, 3, 5, 4), (1, 7, 1, 1), (5, 1, 3, 11),
        (3, 67, 2, 2), (2, 2, 17, 19), (2, 3, 3, 2, 5), (1, 2, 1, 7, 3), (2, 1, 131, 67))),
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
]
trained = [case for case in cases if case.kind in (
    Linear, BatchNorm, BatchNormND, Deconv1D, Deconv2D, Deconv3D, PRelu)
           and case.kwargs.get("affine", True)]


def stateOf(module):
    """Bytes of everything that a module keeps from call to call, by name."""
    state = {}
    for path, owner in module.namedModules(""):
        for name, var in owner.vars.items():
            assert getattr(owner, name) is var.data
            state[f"{path}.{name}"] = var.data.get().tobytes()
            state[f"{path}.{name}.grad"] = var.grad.get().tobytes()
        for name, value in owner.attrs.items():
            state[f"{path}.{name}"] = gpuarray.toHost(value).tobytes()
    return state


def run(module, data, grad=None, seed=0):
    """[output, input gradient, parameter gradients...] as host arrays."""
    gpuarray.globalRng.seed(seed)
    out = module(gpuarray.to_gpu(data)).get()
    grad = np.random.default_rng(7).standard_normal(out.shape) if grad is None else grad
    module.backward(gpuarray.to_gpu(grad.astype(module.calctype)), momentum=0.0)
    return [out, module.grad.get(), *(var.grad.get() for var in module.vars.values())]
