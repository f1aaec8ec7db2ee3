"""The base class as a writer of modules meets it; what all modules keep to: test_Contract.py."""

import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Modules import Linear, Module, ModuleError
from minidl.Modules.Module import MemoryUnit
from minidl.Variable import Variable
from tests.Gradients import checkGradients


class Scaled(Module):
    """y = s x^2, with one trained number s: all that a module of one's own needs."""

    def __init__(self, start=1.5, name=None, note=None):
        super().__init__(name)
        self.registerBlueprint(locals(), exclude=["note"])
        self.setVar("s", Variable(gpuarray.to_gpu(np.array([start], np.float32))))

    def updateData(self, data):
        self.data = gpuarray.to_gpu(self.s.get() * data.get() ** 2)

    def updateGrad(self, grad):
        self.grad = gpuarray.to_gpu(2 * self.s.get() * self.inData.get() * grad.get())

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        new, var = (grad.get() * self.inData.get() ** 2).sum(), self.vars["s"]
        var.grad.set((scale * new + momentum * var.grad.get()).astype(self.calctype))


class Wrong(Scaled):
    def updateGrad(self, grad):
        self.grad = gpuarray.to_gpu(-2 * self.s.get() * self.inData.get() * grad.get())


class WrongParameter(Scaled):
    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        super().accGradParams(grad, 1.001 * scale, momentum)


def test_a_module_of_ones_own_passes_the_gradient_check(rng):
    checkGradients(Scaled(), rng.standard_normal((3, 5)))


@pytest.mark.parametrize("kind, name", [(Wrong, "data"), (WrongParameter, "module.s")])
def test_the_gradient_check_finds_wrong_gradients(kind, name, rng):
    with pytest.raises(AssertionError, match=name):
        checkGradients(kind(), rng.standard_normal((3, 5)))


def test_a_module_of_ones_own_is_saved_and_described():
    module, fresh = Scaled(start=2, name="own", note=object()), Scaled(name="own")

    fresh.load(module.save())

    assert fresh.s.get() == 2
    assert module.getBlueprint()["scheme"] == {"start": 2, "name": "own", "note": None}
    assert repr(module) == "Scaled 'own' (start=2)" and repr(Scaled()) == "Scaled ()"


@pytest.mark.parametrize("call, message", [
    (lambda module: module(gpuarray.zeros(3)), "Module has no updateData"),
    (lambda module: module.updateGrad(None), "Module has no updateGrad"),
    (lambda module: module.getBlueprint(), "Module: has no blueprint"),
])
def test_what_a_subclass_must_write_is_named(call, message):
    with pytest.raises((NotImplementedError, ModuleError), match=message):
        call(Module())


def test_units_of_memory():
    module = Linear(64, 32, useBias=False)

    assert module.paramSize() == 8192
    assert module.paramSize("kb") == module.paramSize(MemoryUnit.kbytes) == 8
    assert module.paramSize(MemoryUnit.mbytes) == 8 / 1024


def test_variables_without_a_gradient_are_left_alone():
    module = Linear(3, 2)
    module.setVar("W", Variable(module.W, withgrad=False))
    before = module.W.get()

    module.zeroGradParams()
    module.updateParams(0.5)

    assert np.array_equal(module.W.get(), before)


def test_calcMode_takes_a_dtype_as_well_as_its_type():
    module = Linear(3, 2)

    module.calcMode(np.dtype(np.float64))

    assert module(gpuarray.zeros((1, 3), np.float64)).dtype == np.float64


def test_checks_can_be_left_out(monkeypatch, rng):
    monkeypatch.setattr(Config, "disableDtypeShapeChecks", True)
    seen = []
    module = Scaled()
    module.checkDataShape = module.checkGradShape = lambda shape: seen.append(shape)

    module(gpuarray.to_gpu(rng.standard_normal((3, 5)).astype(np.float32)))
    module.backward(gpuarray.to_gpu(rng.standard_normal((3, 5)).astype(np.float32)))

    assert seen == []


def test_an_error_is_a_value_error_and_a_runtime_error():
    assert issubclass(ModuleError, ValueError) and issubclass(ModuleError, RuntimeError)
