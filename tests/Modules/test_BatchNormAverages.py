"""Batch normalization's running statistics: when they serve and move, and what they become."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, BatchNormAxes, ModuleError
from tests.BatchNormReference import Problem, Reference, assertClose

forms = pytest.mark.parametrize("shape, axes", [
    ((6, 3), (0,)), ((4, 3, 5), (0, 2)), ((4, 3, 5, 2), (0, 1, 2)), ((3, 2, 4, 5), (0, 2)),
    ((5, 7), (1,))], ids=str)
everyStat = pytest.mark.parametrize("runningStat", ["var", "invstd"])
bothModes = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])

choices = [  # options; (whether the averages serve, whether they move) in training, in evaluation
    (dict(), (False, True), (True, False)),
    (dict(useGlobalStats=True), (True, False), (True, False)),  # M8
    (dict(useAverages=False, updateAverages=False), (False, False), (False, False)),  # L18
    (dict(useAverages=True, updateAverages=True), (True, True), (True, True)),
    (dict(useAverages=True, updateAverages=False), (True, False), (True, False)),
    (dict(useAverages=False, updateAverages=True), (False, True), (False, True)),
    (dict(useAverages=True), (True, True), (True, False)),
    (dict(useAverages=False), (False, True), (False, False)),
    (dict(updateAverages=True), (False, True), (True, True)),
    (dict(updateAverages=False), (False, False), (True, False)),
    (dict(useGlobalStats=True, updateAverages=True), (True, True), (True, True)),
    (dict(useGlobalStats=True, useAverages=False), (False, False), (False, False)),
]
everyChoice = pytest.mark.parametrize("options, training, evaluation", choices, ids=str)


def make(problem, **options):
    return BatchNormAxes(problem.shape, problem.axes, scaleInit=problem.scale,
                         biasInit=problem.bias, meanInit=problem.mean, varInit=problem.var,
                         **options)


def step(module, x, g):
    module(gpuarray.to_gpu(x))
    module.backward(gpuarray.to_gpu(g))


def stats(module):
    return module.mean.get().astype(np.float64), module.var.get().astype(np.float64)


@everyChoice
@everyStat
@bothModes
@forms
def test_three_steps(  # L11, L12, L14 to L17, L26, M8, X16, K8, K11, K13
        shape, axes, train, runningStat, options, training, evaluation, rng):
    problem = Problem(rng, shape, axes)
    module = make(problem, runningStat=runningStat, initFactor=0.8, minFactor=0.3, **options)
    module.train = train
    serve, move = training if train else evaluation
    scale, bias, mean, var = problem.inFull(
        problem.scale, problem.bias, problem.mean, problem.var)

    for factor in (0.8, 0.4, 0.3):
        x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(np.float32)
        batch = Reference(x, axes, scale, bias, g)
        given = {"mean": mean, "var": var, "std": 1 / var if runningStat == "invstd" else None}
        expected = Reference(x, axes, scale, bias, g, **given) if serve else batch

        step(module, x, g)

        assertClose(module.data, expected.out, np.float32)
        assertClose(module.grad, expected.grad, np.float32, 4, size=expected.gradSize)
        assertClose(module.scalegrad, expected.scaleGrad, np.float32, 4)
        assertClose(module.biasgrad, expected.biasGrad, np.float32, 4)
        if move:
            target = {"var": batch.var * batch.count / (batch.count - 1), "invstd": batch.invStd}
            mean = mean + factor * (batch.mean - mean)
            var = var + factor * (target[runningStat] - var)
        for found, wanted in zip(stats(module), (mean, var), strict=True):
            assertClose(found, wanted, np.float32)
    assert module.numOfProps == 3 * move


@everyChoice
def test_flags_may_be_set_later(options, training, evaluation, rng):  # L16
    x = rng.standard_normal((6, 3)).astype(np.float32) * 2 + 1
    batch = Reference(x, (0,), 1).out
    averages = (x.astype(np.float64) - 7) / np.sqrt(9 + 1e-5)
    module = BatchNorm(3, scaleInit=1, meanInit=7, varInit=9)
    for name, value in options.items():
        setattr(module, name, value)

    for train, (serve, move) in ((True, training), (False, evaluation)):
        module.trainMode() if train else module.evalMode()
        module.resetStats()
        out = module(gpuarray.to_gpu(x)).get()
        assertClose(out, averages if serve else batch, np.float32)
        assert (module.mean.get() != 7).all() == move and module.numOfProps == move


def test_statistics_move_once_in_each_forward_and_not_in_backward(rng):  # K8, L26
    module, (x, g) = BatchNorm(3, minFactor=0.1), rng.standard_normal((2, 6, 3)).astype(np.float32)

    module(gpuarray.to_gpu(x))
    moved = stats(module)
    np.testing.assert_allclose(moved[0].ravel(), x.mean(0), rtol=1e-5)
    for _ in range(2):
        module.backward(gpuarray.to_gpu(g))

    assert np.array_equal(stats(module), moved) and module.numOfProps == 1


def test_averages_that_served_are_those_of_backward_even_if_they_moved_since(rng):  # L17
    module = BatchNorm(3, scaleInit=2, varInit=4, useAverages=True)
    x, g = rng.standard_normal((2, 6, 3)).astype(np.float32)

    step(module, x, g)

    assert (module.var.get() != 4).all()
    np.testing.assert_allclose(module.grad.get(), 2 * g / np.sqrt(4 + 1e-5), rtol=1e-6)


@everyStat
def test_stored_inverse_deviation_has_epsilon_in_it(runningStat, rng):  # L11: and no other
    x = rng.standard_normal((6, 3)).astype(np.float32)
    module = BatchNorm(3, 0.5, varInit=0.25, scaleInit=1, runningStat=runningStat)
    module.evalMode()

    out = module(gpuarray.to_gpu(x)).get()

    invStd = 0.25 if runningStat == "invstd" else 1 / np.sqrt(0.75)
    np.testing.assert_allclose(out, x * invStd, rtol=1e-6)


def test_average_of_inverse_deviations_is_not_that_of_the_average(rng):  # K11
    batches = [rng.standard_normal((16, 1)) * size for size in (1, 10)]
    module = BatchNorm(1, initFactor=1, minFactor=0, runningStat="invstd")
    module.calcMode(np.float64)

    for batch in batches:
        module(gpuarray.to_gpu(batch))

    expected = np.mean([1 / np.sqrt(batch.var() + 1e-5) for batch in batches])
    np.testing.assert_allclose(module.var.get(), expected, rtol=1e-12)


@pytest.mark.parametrize("inits, mean, var", [
    (dict(), 0, 1), (dict(meanInit=3, varInit=lambda shape: np.full(shape, 5)), 3, 5)])
def test_resetStats_starts_anew(inits, mean, var, rng):  # T22
    module = BatchNorm(3, **inits)
    x = rng.standard_normal((4, 6, 3)).astype(np.float32)
    for batch in x:
        module(gpuarray.to_gpu(batch))
    place = module.mean

    module.resetStats()

    assert module.mean is place and module.attrs["mean"] is place
    assert (module.mean.get() == mean).all() and (module.var.get() == var).all()
    assert module.numOfProps == 0
    module(gpuarray.to_gpu(x[0]))
    np.testing.assert_allclose(module.mean.get().ravel(), x[0].mean(0), rtol=1e-5, atol=1e-7)


@everyStat
@forms
def test_schedule_goes_on_from_a_file(shape, axes, runningStat, rng):  # P27, T20
    whole, first, second = (
        BatchNormAxes(shape, axes, runningStat=runningStat, name="bn") for _ in range(3))
    mean = 0

    for number, batch in enumerate(rng.standard_normal((12, *shape)).astype(np.float32)):
        if number == 5:
            second.load(first.save())
        for module in (whole, first if number < 5 else second):
            module(gpuarray.to_gpu(batch))
        batchMean = batch.astype(np.float64).mean(axes, keepdims=True)
        mean += max(1 / (number + 1), 0.1) * (batchMean - mean)

    assertClose(second.mean, mean, np.float32)
    assert second.numOfProps == whole.numOfProps == 12
    assert np.array_equal(stats(second), stats(whole))


@bothModes
@pytest.mark.parametrize("flag", ["useAverages", "updateAverages"])
def test_refuses_to_use_or_move_what_is_not_there(flag, train):
    module = BatchNorm(3, name="bn", trackRunningStats=False, **{flag: True})
    module.train = train

    with pytest.raises(ModuleError, match="^BatchNorm 'bn': has no running statistics to use or"):
        module(gpuarray.to_gpu(np.ones((4, 3), np.float32)))


@bothModes
def test_without_running_statistics_there_is_nothing_to_keep(train, rng):  # T10
    x, g = (rng.standard_normal((2, 6, 3)) * 2 + 5).astype(np.float32)
    module = BatchNorm(3, scaleInit=1, trackRunningStats=False, name="bn")
    module.train = train
    module.resetStats()

    step(module, x, g)

    expected = Reference(x, (0,), 1, 0, g)
    assertClose(module.data, expected.out, np.float32)
    assertClose(module.grad, expected.grad, np.float32, 4)
    assert module.mean is module.var is module.numOfProps is None and module.attrs == {}
    other = BatchNorm(3, trackRunningStats=False, name="bn")
    other.load(module.save())
    assert np.array_equal(other.scale.get(), module.scale.get())


def test_evaluation_in_place_needs_averages_that_serve():
    module = BatchNorm(3, inplace=True, useAverages=False)
    module.evalMode()

    with pytest.raises(ModuleError, match="can be in place with running statistics only"):
        module(gpuarray.to_gpu(np.ones((4, 3), np.float32)))
