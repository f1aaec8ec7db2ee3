"""What every module promises about values, for every case of tests/Cases.py."""

import inspect
import json

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import Linear, SoftMax
from minidl.Modules.MapsModule import MapsModule
from minidl.Modules.SampleNorm import SampleNorm
from minidl.Modules.WindowND import WindowND
from tests.Case import run, stateOf
from tests.Cases import cases

everyCase = pytest.mark.parametrize("case", cases, ids=repr)
bothModes = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])


def bits(arrays):
    return [array.tobytes() for array in arrays]


@everyCase
@bothModes
def test_shapes_are_as_foretold(case, train, rng):
    module = case.make(rng, train)

    out, grad, *_ = run(module, case.data(rng))

    assert out.shape == module.data.shape == module.dataShapeFrom(case.shape)
    assert grad.shape == case.shape == module.gradShapeFrom(out.shape)


@everyCase
@bothModes
def test_float32_agrees_with_float64(case, train, rng):
    module, data = case.make(rng, train), case.data(rng)

    single = run(module, data)
    module.calcMode(np.float64)
    double = run(module, data.astype(np.float64))

    for one, two in zip(single, double, strict=True):
        assert (one.dtype, two.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5 * max(np.abs(two).max(), 0.1))


@pytest.mark.parametrize("case", [case for case in cases if not case.inplace], ids=repr)
@bothModes
def test_data_and_gradients_are_not_overwritten(case, train, rng):
    module, data = case.make(rng, train), gpuarray.to_gpu(case.data(rng))
    grad = gpuarray.to_gpu(case.data(rng, module(data).shape))
    arrays = [data, grad, *(var.data for var in module.vars.values())]
    before = bits(array.get() for array in arrays)

    module(data)
    module.backward(grad)

    assert bits(array.get() for array in arrays) == before


@everyCase
@bothModes
def test_result_does_not_depend_on_earlier_calls(case, train, rng):
    module, data = case.make(rng, train), case.data(rng)
    first = run(module, data)

    for batch in case.otherBatches(train):
        run(module, case.data(rng, (batch, *case.shape[1:])), seed=batch)

    assert bits(run(module, data)) == bits(first)


@everyCase
@bothModes
def test_same_bits_for_any_number_of_threads(case, train, rng, device):
    module, data, results = case.make(rng, train), case.data(rng), []

    for threads in (1, 2, 3, 2, 1):
        device.setThreads(threads)
        results.append(bits(run(module, data)))

    assert all(result == results[0] for result in results)


@everyCase
@bothModes
def test_strided_data_and_gradients_give_the_contiguous_answer(case, train, rng):
    module, data = case.make(rng, train), case.data(rng)
    contiguous = run(module, data)
    grad = np.random.default_rng(7).standard_normal(contiguous[0].shape).astype(np.float32)

    gpuarray.globalRng.seed(0)
    out = module(strided(data)).get()
    module.backward(strided(grad))

    strides = [out, module.grad.get(), *(var.grad.get() for var in module.vars.values())]
    assert bits(strides) == bits(contiguous)


def strided(array):
    return gpuarray.to_gpu(np.stack([array, np.full_like(array, np.nan)], axis=-1))[..., 0]


@pytest.mark.parametrize("case", [c for c in cases if not c.isBatchNorm], ids=repr)
def test_nan_stays_in_its_sample(case, rng):
    module, data = case.make(rng), case.data(rng)
    clean = run(module, data)[0]

    data[(-1,) * data.ndim] = np.nan
    spoiled = run(module, data)[0]

    gone = np.isnan(spoiled)
    assert np.array_equal(spoiled[~gone], clean[~gone])
    most = {Linear: clean[-1].size, SoftMax: clean.shape[1] if clean.ndim > 1 else 0}
    ofKind = clean[-1].size if isinstance(module, (MapsModule, SampleNorm)) else 1
    assert gone.sum() == gone[-1:].sum() <= most.get(case.kind, ofKind)
    # A window may not see the last element; dropout may drop it.
    slides = isinstance(module, WindowND)
    assert gone.any() or slides or module.data.get().flat[-1] == 0


@everyCase
def test_evaluation_changes_no_state(case, rng):
    module = case.make(rng, train=False)
    before = stateOf(module)

    run(module, case.data(rng))
    module(gpuarray.to_gpu(case.data(rng)))

    assert stateOf(module) == before


@everyCase
def test_file_gives_a_fresh_module_the_same_bits(case, rng, tmp_path):
    module, fresh = case.make(rng), case.make(np.random.default_rng(1))
    run(module, case.data(rng))

    module.save(tmp_path / "weights.hdf")
    fresh.load(tmp_path / "weights.hdf")

    module.zeroGradParams()
    fresh.zeroGradParams()
    assert stateOf(fresh) == stateOf(module)


@everyCase
def test_batch_of_no_samples_gives_no_samples_or_a_clear_error(case, rng):
    module = case.make(rng)
    empty = gpuarray.to_gpu(np.empty((0, *case.shape[1:]), np.float32))

    try:
        out = module(empty)
    except ValueError as error:
        assert str(error).startswith(f"{case.kind.__name__} 'probe': ")
    else:
        module.backward(gpuarray.to_gpu(np.empty(out.shape, np.float32)))
        assert out.size == 0 and module.grad.shape == empty.shape
        assert all((var.grad.get() == 0).all() for var in module.vars.values())


@everyCase
def test_reset_lets_go_of_all_arrays(case, rng):
    module = case.make(rng)
    run(module, case.data(rng))

    module.reset()

    assert module.data is module.grad is module.inData is None


@everyCase
def test_blueprint_is_json_and_builds_an_equal_module(case, rng):
    module = case.make(rng)

    blueprint = json.loads(json.dumps(module.getBlueprint()))
    again = case.kind(**blueprint["scheme"])

    assert blueprint["classname"] == case.kind.__name__
    assert again.getBlueprint() == module.getBlueprint()
    assert again.numOfParams() == module.numOfParams()


@everyCase
def test_repr_tells_name_and_what_was_chosen(case, rng):
    words = repr(case.make(rng))
    usual = inspect.signature(case.kind).parameters

    assert words.startswith(f"{case.kind.__name__} 'probe' (")
    for key, value in case.kwargs.items():
        if key not in ("slc", "slicing", "args"):
            isUsual = key in usual and usual[key].default == value
            assert (f"{key}={value}" in words) is not isUsual
