"""How every module refuses what it cannot take, for every case of tests/Cases.py."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError
from tests.Case import run, stateOf
from tests.Cases import cases

everyCase = pytest.mark.parametrize("case", cases, ids=repr)
picky = pytest.mark.parametrize("case", [c for c in cases if not c.takesAnyDtype], ids=repr)
wrongShapes = pytest.mark.parametrize(
    "case, shape", [(case, shape) for case in cases for shape in case.wrong], ids=repr)


def refused(case, module, action, *words):
    """`action` raises a ModuleError of the module's with the words, and leaves no trace."""
    rng = np.random.default_rng(1)
    data = case.data(rng)
    before = stateOf(module)

    with pytest.raises(ModuleError) as caught:
        action()

    message = str(caught.value)
    assert message.startswith(f"{case.kind.__name__} 'probe': ")
    for word in words:
        assert str(word) in message
    assert stateOf(module) == before
    fresh = case.make(np.random.default_rng(0))
    for one, two in zip(run(module, data), run(fresh, data), strict=True):
        np.testing.assert_array_equal(one, two)


@everyCase
def test_refuses_an_array_of_numpy(case, rng):
    module, data = case.make(rng), case.data(rng)

    refused(case, module, lambda: module(data), "data must be an array on the device", "to_gpu")


@everyCase
def test_refuses_a_gradient_of_numpy(case, rng):
    module = case.make(rng)
    grad = module(gpuarray.to_gpu(case.data(rng))).get()

    refused(case, module, lambda: module.backward(grad), "grad must be an array on the device")


@everyCase
def test_refuses_no_array_at_all(case, rng):
    module = case.make(rng)

    refused(case, module, lambda: module(None), "NoneType")


@picky
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_refuses_another_dtype(case, dtype, rng):
    module, data = case.make(rng), gpuarray.to_gpu(case.data(rng).astype(dtype))

    refused(case, module, lambda: module(data), "float32", np.dtype(dtype))


@picky
def test_refuses_a_gradient_of_another_dtype(case, rng):
    module = case.make(rng)
    grad = gpuarray.to_gpu(module(gpuarray.to_gpu(case.data(rng))).get().astype(np.float64))

    refused(case, module, lambda: module.backward(grad), "float32", "float64")


@wrongShapes
def test_refuses_a_wrong_shape(case, shape, rng):
    module, data = case.make(rng), gpuarray.to_gpu(np.ones(shape, np.float32))

    refused(case, module, lambda: module(data), shape)


@everyCase
def test_refuses_a_gradient_of_another_batch(case, rng):
    module = case.make(rng)
    out = module(gpuarray.to_gpu(case.data(rng)))
    shape = (out.shape[0] + 1, *out.shape[1:])
    grad = gpuarray.to_gpu(np.ones(shape, np.float32))

    refused(case, module, lambda: module.backward(grad), out.shape, shape)


@everyCase
def test_gradient_may_be_right_after_it_was_wrong(case, rng):
    module, data = case.make(rng), case.data(rng)
    expected = run(module, data)
    gpuarray.globalRng.seed(0)
    out = module(gpuarray.to_gpu(data))

    with pytest.raises(ModuleError):
        module.backward(gpuarray.to_gpu(np.ones((*out.shape, 2), np.float32)))

    grad = np.random.default_rng(7).standard_normal(out.shape).astype(np.float32)
    module.backward(gpuarray.to_gpu(grad))
    np.testing.assert_array_equal(module.grad.get(), expected[1])


@everyCase
def test_backward_needs_a_call_first(case, rng):
    module, grad = case.make(rng), gpuarray.to_gpu(case.data(rng))

    refused(case, module, lambda: module.backward(grad), "needs a call with data first")


@everyCase
@pytest.mark.parametrize("forget", ["reset", "trainMode", "evalMode"])
def test_backward_needs_a_call_after(case, forget, rng):
    module = case.make(rng)
    grad = module(gpuarray.to_gpu(case.data(rng))).copy()
    getattr(module, forget)()

    with pytest.raises(ModuleError, match="'probe': backward needs a call with data first"):
        module.backward(grad)


@everyCase
def test_refuses_to_compute_in_a_dtype_without_kernels(case, rng):
    module = case.make(rng)

    refused(case, module, lambda: module.calcMode(np.int32), "float32", "int32")
