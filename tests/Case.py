"""A way to make a module and data for it, and what a step with it leaves behind."""

import numpy as np

from minidl import Modules
from minidl.Backend import gpuarray
from minidl.Modules import BatchNormAxes, ConvND, Identity, Linear, PRelu
from minidl.Modules.SampleNorm import SampleNorm

# All modules that there are.
kinds = [kind for name in Modules.__all__ if isinstance(kind := getattr(Modules, name), type)
         and issubclass(kind, Modules.Module) and kind is not Modules.Module]


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

    def otherBatches(self, train):
        """Numbers of samples that the module must take beside that of its shape."""
        if not self.isBatchNorm:
            return self.shape[0] + 2, 1
        if self.kind is BatchNormAxes and self.args[0][0] is not None:
            return ()
        needsVariance = train or {"trackRunningStats", "useAverages"} & self.kwargs.keys()
        return self.shape[0] + 2, *[1] * (not needsVariance)

    @property
    def isBatchNorm(self):
        return issubclass(self.kind, BatchNormAxes)

    @property
    def isTrained(self):
        return (issubclass(self.kind, (Linear, ConvND, PRelu))
                or issubclass(self.kind, (BatchNormAxes, SampleNorm))
                and self.kwargs.get("affine", True))

    @property
    def inplace(self):
        return self.kwargs.get("inplace", False)

    @property
    def takesAnyDtype(self):
        return issubclass(self.kind, Identity)

    def __repr__(self):
        words = [*map(str, self.args), *(f"{key}={value}" for key, value in self.kwargs.items())]
        return f"{self.kind.__name__}({','.join(words)})-{'x'.join(map(str, self.shape))}"


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
