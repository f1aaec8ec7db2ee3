import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNormND, ModuleError
from minidl.Variable import Variable

shapes = [(5, 3), (64, 70), (4, 3, 2), (1, 2, 9), (2, 3, 3, 2), (3, 67, 5, 4), (2, 1, 2, 3, 2)]
everyShape = pytest.mark.parametrize("shape", shapes)
example = np.arange(18, dtype=np.float32).reshape(3, 6)


def make(shape, rng=None, train=True, **arguments):
    module = BatchNormND(len(shape) - 2, shape[1], **arguments)
    if rng is not None:
        module.scale.set(rng.uniform(0.5, 2, module.scale.shape).astype(np.float32))
        module.bias.set(rng.standard_normal(module.bias.shape).astype(np.float32))
        module.mean.set(rng.standard_normal(module.mean.shape).astype(np.float32))
        module.var.set(rng.uniform(0.5, 2, module.var.shape).astype(np.float32))
    if not train:
        module.evalMode()
    return module


def axesOf(x):
    return (0, *range(2, x.ndim))


def column(values, x):
    """One number a map, in a shape that numpy stretches over x."""
    return np.asarray(values, np.float64).reshape(-1, *[1] * (x.ndim - 2))


def reference(module, x, mean=None, var=None):
    x = x.astype(np.float64)
    mean = x.mean(axesOf(x)) if mean is None else mean
    var = x.var(axesOf(x)) if var is None else var
    scale, bias = column(module.scale.get(), x), column(module.bias.get(), x)
    normal = (x - column(mean, x)) / np.sqrt(column(var, x) + module.epsilon)
    return normal * scale + bias


def call(module, x):
    return module(gpuarray.to_gpu(np.asarray(x, module.calctype))).get()


@everyShape
def test_training_normalizes_with_the_statistics_of_the_batch(shape, rng):
    module, x = make(shape, rng), rng.standard_normal(shape) * 3 + 5

    y = call(module, x)

    np.testing.assert_allclose(y, reference(module, x), rtol=1e-5, atol=2e-5)


@everyShape
def test_evaluation_normalizes_with_the_running_statistics(shape, rng):
    module, x = make(shape, rng, train=False), rng.standard_normal(shape).astype(np.float32)
    mean, var = module.mean.get(), module.var.get()

    y = call(module, x)

    np.testing.assert_allclose(y, reference(module, x, mean, var), rtol=1e-5, atol=1e-5)
    assert np.array_equal(module.mean.get(), mean) and np.array_equal(module.var.get(), var)
    assert module.numOfProps == 0


@everyShape
def test_first_batch_takes_the_place_of_the_statistics(shape, rng):
    module, x = make(shape, rng), (rng.standard_normal(shape) * 3 + 5).astype(np.float32)

    call(module, x)

    x = x.astype(np.float64)
    np.testing.assert_allclose(module.mean.get().ravel(), x.mean(axesOf(x)), rtol=1e-6)
    np.testing.assert_allclose(module.var.get().ravel(), x.var(axesOf(x), ddof=1), rtol=1e-5)


@pytest.mark.parametrize("initFactor, minFactor, factors", [
    (1.0, 0.1, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 7, 1 / 8, 1 / 9, 0.1, 0.1, 0.1]),
    (1.0, 0.3, [1, 1 / 2, 1 / 3, 0.3, 0.3]),
    (0.5, 0.1, [0.5, 0.25, 0.5 / 3, 0.125, 0.1, 0.1]),
    (0.0, 0.1, [0.1] * 4),
    (1.0, 0.0, [1, 1 / 2, 1 / 3, 1 / 4]),
    (0.0, 0.0, [0] * 3),
    (1.0, 1.0, [1] * 3),
    (3.0, 0.1, [1, 1, 1, 0.75, 0.6]),
])
def test_running_statistics_follow_the_schedule(initFactor, minFactor, factors, rng):
    module = make((8, 2), initFactor=initFactor, minFactor=minFactor)
    module.calcMode(np.float64)
    mean, var = np.zeros(2), np.ones(2)

    for factor in factors:
        x = rng.standard_normal((8, 2)) * 2 + 3
        call(module, x)
        mean += factor * (x.mean(0) - mean)
        var += factor * (x.var(0, ddof=1) - var)

    np.testing.assert_allclose(module.mean.get().ravel(), mean, rtol=1e-12)
    np.testing.assert_allclose(module.var.get().ravel(), var, rtol=1e-12)
    assert module.numOfProps == len(factors)


def test_schedule_by_hand():
    module, means = BatchNorm(6), []

    for k in range(1, 13):
        call(module, example + k * k)
        means.append(module.mean.get()[0, 0, 0, 0])

    expected = [7, 8.5, 10.6667, 13.5, 17, 21.1667, 26, 31.5, 37.6667, 44.5, 52.75, 62.475]
    np.testing.assert_allclose(means, expected, rtol=1e-5)
    np.testing.assert_allclose(module.var.get(), 36, rtol=1e-6)


def test_evaluation_backward_treats_statistics_as_constants():
    module = BatchNorm(2, sscale=0)
    module.mean.set(np.array([1, 2], np.float32).reshape(1, 2, 1, 1))
    module.var.set(np.array([4, 9], np.float32).reshape(1, 2, 1, 1))
    module.evalMode()

    call(module, [[0, 1], [2, 5]])
    module.backward(gpuarray.to_gpu(np.array([[1, 2], [3, 4]], np.float32)))

    expected = [[0.49999938, 0.66666627], [1.49999809, 1.33333254]]
    np.testing.assert_allclose(module.grad.get(), expected, rtol=2e-7)


def test_parameters_have_a_one_for_each_other_axis():
    assert make((2, 3)).mean.shape == (1, 3)
    assert make((2, 3, 4)).scale.shape == (1, 3, 1)
    assert make((2, 3, 4, 5, 6)).bias.shape == (1, 3, 1, 1, 1)


def test_batch_and_size_may_change_from_call_to_call(rng):
    module = make((2, 3, 4, 5), rng)

    for shape in [(2, 3, 4, 5), (7, 3, 1, 2), (1, 3, 6, 6), (2, 3, 4, 5)]:
        x = rng.standard_normal(shape)
        np.testing.assert_allclose(call(module, x), reference(module, x), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("epsilon", [1e-5, 1.0000001e-5, 1e-3, 1])
def test_takes_an_epsilon_from_1e_5_on(epsilon):
    x = np.array([[0.0], [2e-3]])

    y = call(BatchNorm(1, epsilon, sscale=0), x)

    expected = np.array([-1e-3, 1e-3]) / np.sqrt(1e-6 + epsilon)
    np.testing.assert_allclose(y.ravel(), expected, rtol=1e-5)


@pytest.mark.parametrize("arguments, message", [
    (dict(epsilon=9.9e-6), "epsilon must be at least 1e-05, got 9.9e-06"),
    (dict(epsilon=0), "epsilon must be at least 1e-05, got 0"),
    (dict(epsilon=-1.0), "epsilon must be at least 1e-05, got -1.0"),
    (dict(epsilon=np.nan), "epsilon must be at least 1e-05, got nan"),
    (dict(initFactor=-0.1), "minFactor from 0 to 1, got -0.1 and 0.1"),
    (dict(minFactor=-0.1), "minFactor from 0 to 1, got 1.0 and -0.1"),
    (dict(minFactor=1.1), "minFactor from 0 to 1, got 1.0 and 1.1"),
    (dict(minFactor=np.nan), "minFactor from 0 to 1, got 1.0 and nan"),
    (dict(initFactor=np.nan), "minFactor from 0 to 1, got nan and 0.1"),
    (dict(epsilon=np.inf), "epsilon must be a finite number, got inf"),
    (dict(epsilon="1"), "epsilon must be a finite number, got '1'"),
    (dict(initFactor=np.inf), "initFactor must be a finite number, got inf"),
    (dict(sscale=-1), "sscale must be at least 0, got -1"),
    (dict(sscale=np.nan), "sscale must be at least 0, got nan"),
])
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ModuleError, match=f"BatchNormND 'bn': .*{message}"):
        BatchNormND(2, 3, name="bn", **arguments)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1), (0, 3), (0, 3, 5), (4, 3, 0)])
def test_refuses_to_train_on_less_than_two_values_a_map(shape, rng):
    module = make(shape, rng)
    before = [module.mean.get(), module.var.get(), int(module.numOfProps)]

    with pytest.raises(ModuleError, match="value.* a map to train on, got shape"):
        call(module, np.ones(shape))

    assert np.array_equal(module.mean.get(), before[0])
    assert np.array_equal(module.var.get(), before[1])
    assert module.numOfProps == before[2]


def test_evaluates_a_single_value(rng):
    module, x = make((1, 3), rng, train=False), rng.standard_normal((1, 3))
    mean, var = module.mean.get(), module.var.get()

    np.testing.assert_allclose(call(module, x), reference(module, x, mean, var), rtol=1e-5)


def test_refuses_more_numbers_than_kernels_can_count():
    with pytest.raises(ModuleError, match=r"fewer than 2\*\*31 numbers, got shape \(65536, 4, "):
        make((1, 4, 1)).checkDataShape((2 ** 16, 4, 2 ** 13))


def test_in_place_writes_over_the_data_in_evaluation_mode(rng):
    x = rng.standard_normal((4, 3, 5)).astype(np.float32)
    module = make(x.shape, rng, train=False, inplace=True)
    expected, data = reference(module, x, module.mean.get(), module.var.get()), gpuarray.to_gpu(x)

    assert module(data) is data
    np.testing.assert_allclose(data.get(), expected, rtol=1e-5, atol=1e-6)


def test_in_place_is_refused_in_training_mode(rng):
    module = make((4, 3), rng, inplace=True)

    with pytest.raises(ModuleError, match="using inplace flag in train mode is prohibited"):
        call(module, np.ones((4, 3)))


def test_in_place_cannot_go_backward(rng):
    module = make((4, 3), rng, train=False, inplace=True)
    y = module(gpuarray.to_gpu(np.ones((4, 3), np.float32)))

    with pytest.raises(ModuleError, match="has overwritten its input"):
        module.backward(y.copy())


def test_in_place_is_told_when_made(monkeypatch):
    lines = []
    log = lambda form, *words: lines.append(form % words)
    monkeypatch.setattr(Config.getLogger(), "warning", log)

    BatchNorm(3, inplace=True, name="bn")

    assert len(lines) == 1 and lines[0].startswith("BatchNorm 'bn' is in place")


@pytest.mark.parametrize("train", [True, False])
def test_empty_has_nothing_until_all_is_set(train, rng):
    module, full = BatchNorm(3, empty=True), make((4, 3), rng)
    assert module.scale is module.bias is module.mean is module.var is None
    assert module.vars == {}
    module.train, x = train, rng.standard_normal((4, 3))

    for name in ("scale", "bias"):
        with pytest.raises(ModuleError, match="was made with empty=True"):
            call(module, x)
        module.setVar(name, Variable(getattr(full, name)))
    for name in ("mean", "var"):
        with pytest.raises(ModuleError, match="was made with empty=True"):
            call(module, x)
        module.setAttr(name, getattr(full, name))

    statistics = (None, None) if train else (full.mean.get(), full.var.get())
    expected = reference(full, x, *statistics)
    np.testing.assert_allclose(call(module, x), expected, rtol=1e-5, atol=1e-5)
