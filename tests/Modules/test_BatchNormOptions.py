"""Batch normalization's parameters: how they start, and which of them are trained."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNorm2D, BatchNormAxes, ModuleError
from minidl.Optimizers import SGD
from minidl.Optimizers.Hooks import WeightDecay
from tests.BatchNormReference import Reference, assertClose

arrays = ["scale", "bias", "mean", "var"]
everyArray = pytest.mark.parametrize("name", arrays)


def data(rng, shape=(6, 3)):
    return rng.standard_normal(shape).astype(np.float32) * 2 + 1


def step(module, x, g):
    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))


# What they start with (L7 to L10)

@everyArray
@pytest.mark.parametrize("given, expected", [
    (2.5, [2.5, 2.5, 2.5]),
    (3, [3, 3, 3]),
    (np.float32(0.5), [0.5, 0.5, 0.5]),
    ([1, 2, 3], [1, 2, 3]),
    (np.array([1.0, 2, 3]), [1, 2, 3]),
    (np.arange(3).reshape(1, 3, 1, 1), [0, 1, 2]),
    (lambda shape: np.arange(3).reshape(shape), [0, 1, 2]),
    (lambda shape: np.full(shape, 4), [4, 4, 4]),
    (lambda shape: 5, [5, 5, 5]),
], ids=["number", "integer", "scalar", "list", "array", "full", "function", "of shape", "of none"])
def test_an_array_starts_as_it_is_told(name, given, expected):
    module = BatchNorm2D(3, **{f"{name}Init": given})

    found = getattr(module, name)
    assert found.shape == (1, 3, 1, 1) and found.dtype == np.float32
    np.testing.assert_array_equal(found.get().ravel(), expected)
    others = {"bias": 0, "mean": 0, "var": 1}
    others.pop(name, None)
    assert all((getattr(module, each).get() == value).all() for each, value in others.items())


@everyArray
def test_a_function_is_given_the_shape_with_ones(name):
    shapes = []
    BatchNormAxes((4, 3, None, 5), (0, 2), **{
        f"{name}Init": lambda shape: shapes.append(shape) or np.ones(shape)})
    assert shapes == [(1, 3, 1, 5)]


@everyArray
@pytest.mark.parametrize("shape", [(5,), (7,), (2, 3), (1, 6, 2), (3, 2)])
def test_refuses_to_start_with_another_shape(name, shape):  # L9
    message = (rf"^BatchNormAxes 'bn': {name}Init must be a number or have shape \(1, 6\), where "
               rf"axes of size 1 may be left out, got shape \({', '.join(map(str, shape))}")
    for given in (np.ones(shape), lambda _: np.ones(shape)):
        with pytest.raises(ModuleError, match=message):
            BatchNormAxes((None, 6), name="bn", **{f"{name}Init": given})


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, [1, -1e-9, 1]])
def test_refuses_a_variance_that_is_none(value):  # X20
    with pytest.raises(ModuleError, match="varInit must be finite"):
        BatchNorm(3, varInit=value)


@everyArray
@pytest.mark.parametrize("value", [np.nan, np.inf, [1, np.nan, 1]])
def test_refuses_to_start_with_what_is_no_number(name, value):
    with pytest.raises(ModuleError, match=f"{name}Init must be finite"):
        BatchNorm(3, **{f"{name}Init": value})


@everyArray
def test_an_array_that_was_given_stays_the_callers(name, rng):  # K7
    given = np.float32([1, 2, 3])
    module = BatchNorm(3, fixScale=True, **{f"{name}Init": given})

    step(module, data(rng), data(rng))
    module.updateParams(0.5)
    getattr(module, name).fill(9)

    assert (given == [1, 2, 3]).all()


@pytest.mark.parametrize("init", ["scaleInit", "biasInit"])
@pytest.mark.parametrize("given", [1, np.ones(3), np.ones], ids=["number", "array", "function"])
def test_what_is_not_affine_starts_as_nothing_else(init, given):
    with pytest.raises(ModuleError, match="with affine=False scale and bias are 1 and 0"):
        BatchNorm(3, affine=False, **{init: given})


def test_refuses_another_running_statistic():
    with pytest.raises(ModuleError, match="runningStat must be 'var' or 'invstd', got 'std'"):
        BatchNorm(3, runningStat="std")


# Which are trained (L7, L8, M10, P11, T11)

@pytest.mark.parametrize("options, trained, scale, bias", [
    (dict(), ["scale", "bias"], 1, 0),
    (dict(scaleInit=-2, biasInit=0.5), ["scale", "bias"], -2, 0.5),
    (dict(learnScale=False), ["bias"], 1, 0),
    (dict(learnScale=False, scaleInit=-2), ["bias"], -2, 0),
    (dict(learnBias=False), ["scale"], 1, 0),
    (dict(learnBias=False, biasInit=0.5), ["scale"], 1, 0.5),
    (dict(learnScale=False, learnBias=False), [], 1, 0),
    (dict(affine=False), [], 1, 0),
    (dict(affine=False, learnScale=True, learnBias=True), [], 1, 0),
], ids=str)
def test_what_is_not_learned_stays_as_it_starts(options, trained, scale, bias, rng):
    module = BatchNorm(3, sscale=0, **options)
    x, g = data(rng), data(rng)

    step(module, x, g)
    module.updateParams(0.1)

    expected = Reference(x, (0,), scale, bias, g)
    assertClose(module.data, expected.out, np.float32)
    assertClose(module.grad, expected.grad, np.float32, 4)
    assert list(module.vars) == trained and module.numOfParams() == 3 * len(trained)
    for name, start, grad in [("scale", scale, expected.scaleGrad),
                              ("bias", bias, expected.biasGrad)]:
        moved = start + 0.1 * grad.ravel() * (name in trained)
        np.testing.assert_allclose(getattr(module, name).get().ravel(), moved, 1e-5, 1e-6)


@pytest.mark.parametrize("mode", ["train", "eval", "useGlobalStats"])
def test_a_fixed_scale_counts_as_1_whatever_it_holds(mode, rng):  # M10, K7
    module = BatchNorm(3, fixScale=True, useGlobalStats=mode == "useGlobalStats")
    x, g = data(rng), data(rng)
    given = {} if mode == "train" else {"mean": np.zeros(3), "var": np.ones(3)}
    module.train = mode != "eval"
    assert (module.scale.get() == 1).all()
    module.scale.set(np.float32([5, -1, np.nan]).reshape(1, 3, 1, 1))
    module.getVar("scale").grad.fill(7)

    step(module, x, g)

    expected = Reference(x, (0,), 1, 0, g, **given)
    assertClose(module.data, expected.out, np.float32)
    assertClose(module.grad, expected.grad, np.float32, 4)
    assert np.array_equal(module.scale.get().ravel(), [5, -1, np.nan], equal_nan=True)
    if module.train:
        assert (module.getVar("scale").grad.get() == 0).all()
        np.testing.assert_allclose(module.getVar("bias").grad.get().ravel(), g.sum(0), rtol=1e-5)
    else:
        assert (module.getVar("scale").grad.get() == 7).all()


def test_only_what_is_marked_decays(rng):  # L13
    module, optimizer = BatchNorm(3, scaleInit=2, biasInit=1), SGD(0.1)
    assert [var.wc for var in module.vars.values()] == [0, 0]
    module.getVar("scale").wc = 1
    optimizer.setupOn(module)
    optimizer.addHook(WeightDecay(0.5))

    step(module, data(rng), np.zeros((6, 3), np.float32))
    optimizer.update()

    np.testing.assert_allclose(module.scale.get(), 2 - 0.1 * 0.5 * 2, rtol=1e-6)
    assert (module.bias.get() == 1).all()


@pytest.mark.parametrize("options", [
    dict(learnScale=False, scaleInit=3), dict(learnBias=False, biasInit=3), dict(fixScale=True)],
    ids=str)
def test_what_is_fixed_follows_the_mode_of_computing(options, rng):
    module = BatchNorm(3, **options)
    module.calcMode(np.float64)
    x = rng.standard_normal((6, 3))

    out = module(gpuarray.to_gpu(x)).get()

    expected = Reference(x, (0,), module.scale.get().ravel(), module.bias.get().ravel()).out
    assertClose(out, expected, np.float64)


# One value a channel (A19, T18, M19)

singles = pytest.mark.parametrize("make, shape", [
    (lambda **options: BatchNorm(3, **options), (1, 3)),
    (lambda **options: BatchNorm2D(3, **options), (1, 3, 1, 1)),
    (lambda **options: BatchNormAxes((3, 4, None), -1, **options), (3, 4, 1)),
    (lambda **options: BatchNormAxes((3, None, 4, None), (1, 3), **options), (3, 1, 4, 1)),
], ids=["vector", "image", "last", "apart"])


@singles
@pytest.mark.parametrize("train", [True, False])
def test_one_value_a_channel_is_no_batch_to_train_on(make, shape, train):
    module = make(name="bn", meanInit=4, varInit=6, trackRunningStats=train)
    module.train = train

    with pytest.raises(ModuleError, match=r"two or more values a map to train on, got shape \("):
        module(gpuarray.to_gpu(np.full(shape, 5, np.float32)))

    if train:
        assert (module.mean.get() == 4).all() and (module.var.get() == 6).all()
        assert module.numOfProps == 0


@singles
@pytest.mark.parametrize("runningStat, var", [("var", 5.4), ("invstd", 5.4 + 0.1 / np.sqrt(1e-5))])
def test_one_value_a_channel_has_a_biased_variance(make, shape, runningStat, var, rng):
    module = make(initFactor=0, scaleInit=2, biasInit=3, meanInit=4, varInit=6, unbiased=False,
                  runningStat=runningStat)

    step(module, np.full(shape, 5, np.float32), rng.standard_normal(shape).astype(np.float32))

    assert (module.data.get() == 3).all() and (module.grad.get() == 0).all()
    np.testing.assert_allclose(module.mean.get(), 4.1, rtol=1e-6)
    np.testing.assert_allclose(module.var.get(), var, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 3), (2, 3)])
@pytest.mark.parametrize("unbiased", [True, False])
def test_running_variance_divides_by_the_count_less_one_or_not(shape, unbiased, rng):  # M7, P7, X10
    module, x = BatchNorm(3, unbiased=unbiased), data(rng, shape)

    out = module(gpuarray.to_gpu(x)).get()

    x = x.astype(np.float64)
    np.testing.assert_allclose(module.var.get().ravel(), x.var(0, ddof=unbiased), rtol=1e-5)
    assertClose(out, Reference(x, (0,), module.scale.get().ravel()).out, np.float32)
