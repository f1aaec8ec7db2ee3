"""Batch normalization over any axes as a module: shapes and axes; its options have their files."""

import inspect

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNormAxes, Module, ModuleError
from tests.BatchNormReference import Problem, Reference, assertClose, cases

everyCase = pytest.mark.parametrize("shape, axes", cases, ids=str)


def posed(rng, shape, axes, dtype, full=False):
    """A problem whose small arrays float32 can hold, in which modules are made."""
    problem = Problem(rng, shape, axes, dtype, full)
    for name in ("scale", "bias", "mean", "var"):
        setattr(problem, name, getattr(problem, name).astype(np.float32).astype(dtype))
    return problem


def make(problem, **options):
    """A module with the problem's parameters and statistics, which knows the sizes that it must."""
    shape = tuple(None if at in problem.axes else size for at, size in enumerate(problem.shape))
    return BatchNormAxes(shape, problem.axes, scaleInit=problem.scale, biasInit=problem.bias,
                         meanInit=problem.mean, varInit=problem.var, **options)


def run(module, problem):
    """Output, and gradients of data, scale and bias."""
    module.calcMode(problem.dtype)
    out = module(gpuarray.to_gpu(problem.x)).get()
    module.backward(gpuarray.to_gpu(problem.g))
    return out, module.grad.get(), module.scalegrad.get(), module.biasgrad.get()


def compare(results, expected, problem, factor=4):
    names = ["out", "grad", "scaleGrad", "biasGrad"]
    for name, found in zip(names, results, strict=True):
        size = expected.gradSize if name == "grad" else 1e-3
        assertClose(found, getattr(expected, name), problem.dtype, factor, size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("full", [False, True], ids=["squeezed", "full"])
@everyCase
def test_training(shape, axes, full, dtype, rng):  # A4, A11, A12, A16, A17, L3, L14, L21, M1 to M3
    problem = posed(rng, shape, axes, dtype, full)
    module, expected = make(problem, initFactor=0, minFactor=0.3), problem.trained()

    results = run(module, problem)

    compare(results, expected, problem)
    mean, var = problem.inFull(problem.mean, problem.var)
    unbiased = expected.var * expected.count / (expected.count - 1)
    assertClose(module.mean, 0.7 * mean + 0.3 * expected.mean, dtype)
    assertClose(module.var, 0.7 * var + 0.3 * unbiased, dtype)
    assertClose(module.savemean, expected.mean, dtype)
    assertClose(module.saveinvvar, expected.invStd, dtype)
    for name in ("scale", "bias", "mean", "var", "savemean", "saveinvvar"):
        assert getattr(module, name).shape == problem.fullShape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@everyCase
def test_evaluation(shape, axes, dtype, rng):  # A22, L15, P24, P29, X16
    problem = posed(rng, shape, axes, dtype)
    module = make(problem)
    module.evalMode()

    results = run(module, problem)

    compare(results, problem.inferred(), problem)
    assert module.mean.get().tobytes() == problem.mean.tobytes()
    assert module.var.get().tobytes() == problem.var.tobytes()
    assert module.numOfProps == 0


@pytest.mark.parametrize("shape, axes, spellings", [  # A2 to A5, K4, L2, L3, M9
    ((4, 3), (0,), ["auto", "spatial", "per-activation", "peractivation", 0, -2, [0],
                    np.array([0]), np.int64(0)]),
    ((4, 3, 5), (0, 2), ["auto", "spatial", (2, 0), [-1, 0], np.array([2, -3])]),
    ((4, 3, 5), (0,), ["per-activation", "peractivation", 0, -3]),
    ((4, 3, 5), (1,), [1, -2, np.int32(1)]),
    ((4, 3, 5, 2), (0, 2, 3), ["auto", "spatial", (3, 0, 2), (-1, -2, -4)]),
    ((4, 3, 5, 2), (0, 1, 2), [range(3), (-4, 2, -3)]),
    ((4, 3, 5, 2, 2), (0, 2, 3, 4), ["auto", {0, 2, 3, 4}]),
], ids=str)
def test_axes_have_many_spellings(shape, axes, spellings, rng):
    x = rng.standard_normal(shape).astype(np.float32)
    expected = Reference(x, axes, 1).out

    for spelling in (axes, *spellings):
        module = BatchNormAxes(shape, spelling, sscale=0)
        assertClose(module(gpuarray.to_gpu(x)), expected, np.float32)
        assert module.axes == axes


@pytest.mark.parametrize("axes, message", [  # A5, M9
    ("bogus", "axes must be 'spatial', 'per-activation' or integers, got 'bogus'"),
    ((), r"axes must be one integer or more, or a word, got \(\)"),
    (None, "axes must be one integer or more, or a word, got None"),
    (1.5, "axes must be one integer or more, or a word, got 1.5"),
    (3, "axes must be from -3 to 2 for data of 3 axes, got 3"),
    ((0, -4), r"axes must be from -3 to 2 for data of 3 axes, got \(0, -4\)"),
    ((0, 2, -1), r"axes must differ from each other, got \(0, 2, -1\) for data of 3 axes"),
])
def test_refuses_axes_that_are_none(axes, message):
    with pytest.raises(ModuleError, match=f"^BatchNormAxes 'bn': {message}"):
        BatchNormAxes((4, 3, 5), axes, name="bn")


@pytest.mark.parametrize("shape, axes, axis", [  # L19
    ((8, None), "auto", 1), ((None, None, 5), "auto", 1), ((None, 3), (1,), 0),
    ((None, 3, 5), (1, 2), 0), ((None, 3, None), "per-activation", 2), ((4, 3, None), (0, 1), 2),
])
def test_refuses_a_size_that_is_not_known_where_it_must_be(shape, axes, axis):
    message = f"size of axis {axis} must be a positive integer, since it is not normalized, got N"
    with pytest.raises(ModuleError, match=message):
        BatchNormAxes(shape, axes)


@pytest.mark.parametrize("shape, message", [
    ((0, 3), "axis 0 must be a positive integer or None, got 0"),
    ((4, -3), "axis 1 must be a positive integer, since it is not normalized, got -3"),
    ((4, 2.5), "axis 1 must be a positive integer, since it is not normalized, got 2.5"),
    ((True, 3), "axis 0 must be a positive integer or None, got True"),
    ((3,), r"shape must be a tuple of two sizes or more, got \(3,\)"),  # M16
    ((), r"shape must be a tuple of two sizes or more, got \(\)"),
])
def test_refuses_shapes_that_are_none(shape, message):
    with pytest.raises(ModuleError, match=message):
        BatchNormAxes(shape)


@pytest.mark.parametrize("shape, axes, changing", [  # L20, X9
    ((None, 3), "auto", [(4, 3), (2, 3), (9, 3)]),
    ((None, 16, None), "auto", [(2, 16, 5), (7, 16, 1), (1, 16, 9)]),
    ((None, None, 5), (0, 1), [(2, 3, 5), (1, 7, 5), (4, 1, 5)]),
    ((4, None), 1, [(4, 2), (4, 9)]),
    ((None, 3, 2), 0, [(2, 3, 2), (5, 3, 2)]),
])
def test_sizes_that_are_not_known_may_change_from_call_to_call(shape, axes, changing, rng):
    module = BatchNormAxes(shape, axes, sscale=0, minFactor=1)

    for size in changing:
        x, g = rng.standard_normal((2, *size)).astype(np.float32)
        out = module(gpuarray.to_gpu(x)).get()
        module.backward(gpuarray.to_gpu(g))

        expected = Reference(x, module.axes, 1, 0, g)
        assertClose(out, expected.out, np.float32)
        assertClose(module.grad, expected.grad, np.float32, 4, size=expected.gradSize)
        assertClose(module.mean, expected.mean, np.float32)


@pytest.mark.parametrize("data", [(5, 3, 6), (4, 2, 6), (4, 3), (4, 3, 6, 1), (3, 4, 6)])
def test_refuses_data_of_another_shape(data):  # P25, T12, T17
    module = BatchNormAxes((4, 3, None), name="bn")
    message = rf"^BatchNormAxes 'bn': data must have shape \(4, 3, None\), .*, got \({data[0]}, "

    with pytest.raises(ModuleError, match=message):
        module(gpuarray.to_gpu(np.ones(data, np.float32)))

    assert module.numOfProps == 0 and (module.mean.get() == 0).all()


@pytest.mark.parametrize("train", [True, False])
def test_each_sample_on_its_own(train, rng):  # L18
    x = (rng.standard_normal((3, 7)) * [[1], [10], [100]] + 5).astype(np.float32)
    module = BatchNormAxes((3, None), 1, sscale=0, trackRunningStats=False)
    module.train = train

    out = module(gpuarray.to_gpu(x)).get()

    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    assertClose(out, expected, np.float32)
    assert module.attrs == {}


def test_channel_axis_may_be_any(rng):  # M9: the layout (batch, height, width, channels) and others
    images = rng.standard_normal((2, 5, 3, 4)).astype(np.float32)
    expected = Reference(images, (0, 2, 3), 1).out

    for place in range(4):
        x = np.ascontiguousarray(np.moveaxis(images, 1, place))
        axes = [axis for axis in range(4) if axis != place]
        out = BatchNormAxes(x.shape, axes, sscale=0)(gpuarray.to_gpu(x)).get()
        assertClose(np.moveaxis(out, place, 1), expected, np.float32)


def test_constructor_takes_its_arguments_in_order():  # L1, L27, P2, section 2
    options = {"trackRunningStats": True, "unbiased": True, "fixScale": False,
               "useGlobalStats": False, "runningStat": "var", "scaleInit": None, "biasInit": None,
               "meanInit": None, "varInit": None, "learnScale": True, "learnBias": True,
               "useAverages": None, "updateAverages": None}
    parameters = inspect.signature(BatchNormAxes).parameters.values()

    assert {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY} \
        == options
    assert [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY] == [
        "shape", "axes", "epsilon", "initFactor", "minFactor", "sscale", "affine", "name", "empty",
        "inplace"]
    assert issubclass(BatchNormAxes, Module)
