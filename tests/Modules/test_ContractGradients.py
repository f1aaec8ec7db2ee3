"""What every module promises about gradients, for every case of tests/Cases.py."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ActivationType
from tests.Case import kinds, run
from tests.Cases import cases, trained
from tests.Gradients import checkGradients
from tests.ListCases import listCases

compared = [*cases, *listCases]
everyTrained = pytest.mark.parametrize("case", trained, ids=repr)
bothModes = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])


def paramGrads(module):
    return [var.grad.get() for var in module.vars.values()]


def forwardOf(case, rng):
    """(module after a call, a gradient for it)"""
    module = case.make(rng)
    out = module(gpuarray.to_gpu(case.data(rng)))
    return module, gpuarray.to_gpu(case.data(rng, out.shape))


@pytest.mark.parametrize("case", compared, ids=repr)
@bothModes
def test_gradients(case, train, rng):
    checkGradients(case.make(rng, train), case.data(rng), rng)


@pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)
def test_every_module_is_compared_at_ten_shapes_or_more(kind):
    isGeneral = kind.__name__.endswith("ND")  # those of one, two and three axes stand for it
    shapes = {str(case.shape) for case in compared
              if case.kind is kind or isGeneral and issubclass(case.kind, kind)}
    assert len(shapes) >= 10


@pytest.mark.parametrize("name", ActivationType)
def test_every_activation_is_compared_at_ten_shapes_or_more(name):
    assert len({case.shape for case in cases if case.args[:1] == (name,)}) >= 10


@everyTrained
def test_momentum_zero_overwrites_parameter_gradients_nan_included(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    expected = paramGrads(module)
    for var in module.vars.values():
        var.grad.fill(np.nan)

    module.backward(grad)

    assert [g.tobytes() for g in paramGrads(module)] == [g.tobytes() for g in expected]


@everyTrained
def test_momentum_one_adds_to_parameter_gradients(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    once = paramGrads(module)

    module.backward(grad, momentum=1.0)

    for twice, single in zip(paramGrads(module), once, strict=True):
        np.testing.assert_allclose(twice, 2 * single, rtol=1e-5, atol=1e-6 * np.abs(single).max())


@everyTrained
def test_scale_and_momentum_weigh_new_and_old(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    new = paramGrads(module)
    for var in module.vars.values():
        var.grad.fill(3)

    module.backward(grad, scale=-0.5, momentum=0.25)

    for joined, single in zip(paramGrads(module), new, strict=True):
        atol = 1e-6 * max(np.abs(single).max(), 1)
        np.testing.assert_allclose(joined, -0.5 * single + 0.75, rtol=1e-5, atol=atol)


@everyTrained
def test_scale_and_momentum_do_not_change_the_input_gradient(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    expected = module.grad.get()

    module.backward(grad, scale=-0.5, momentum=0.25)

    assert module.grad.get().tobytes() == expected.tobytes()


@everyTrained
def test_parameter_gradients_stay_without_updParamGrads(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    before = module.grad.get()
    for var in module.vars.values():
        var.grad.fill(3)

    module.backward(grad, updParamGrads=False)

    assert module.grad.get().tobytes() == before.tobytes()
    assert all((g == 3).all() for g in paramGrads(module))


@everyTrained
def test_parameter_gradients_come_out_without_updGrad(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    expected = paramGrads(module)
    for var in module.vars.values():
        var.grad.fill(3)

    module.backward(grad, updGrad=False)

    assert module.grad is None
    assert [g.tobytes() for g in paramGrads(module)] == [g.tobytes() for g in expected]


@everyTrained
def test_parameter_gradients_are_those_of_the_last_call(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad, updParamGrads=False)
    data = case.data(rng)
    expected = run(module, data, 2 * grad.get())[2:]

    module.backward(grad, updParamGrads=False)
    module(gpuarray.to_gpu(data))
    module.backward(gpuarray.to_gpu(2 * grad.get()), updGrad=False)

    assert [g.tobytes() for g in paramGrads(module)] == [g.tobytes() for g in expected]


@everyTrained
def test_evaluation_mode_leaves_parameter_gradients_alone(case, rng):
    module = case.make(rng, train=False)
    for var in module.vars.values():
        var.grad.fill(3)

    out = module(gpuarray.to_gpu(case.data(rng)))
    module.backward(gpuarray.to_gpu(case.data(rng, out.shape)))

    assert all((g == 3).all() for g in paramGrads(module))


@everyTrained
def test_updateParams_adds_the_rate_times_the_gradient(case, rng):
    module, grad = forwardOf(case, rng)
    module.backward(grad)
    before = [var.data.get() for var in module.vars.values()]

    module.updateParams(0.5)

    for var, old in zip(module.vars.values(), before, strict=True):
        np.testing.assert_allclose(var.data.get(), old + 0.5 * var.grad.get(), rtol=1e-5, atol=1e-6)
