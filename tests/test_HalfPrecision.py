"""
float16 and bfloat16 data, where the device has them: what is computed is close to the same in
float32, and what is summed or trained is kept in float32.
"""

import io

import h5py
import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Containers import Sequential
from minidl.Cost import MSE, CrossEntropy
from minidl.Modules import Activation, BatchNorm, BatchNormND, Flatten, Linear, ModuleError
from minidl.Optimizers import EMA, SGD, Adam, MomentumSGD
from minidl.Optimizers.Hooks import L1, ClipNorm, ClipValue, WeightDecay
from minidl.Variable import Variable
from tests.Case import Case, run, stateOf
from tests.Cases import cases
from tests.Optimizers.test_Optimizer import kinds

tolerances = {"float16": 1e-2, "bfloat16": 4e-2}  # of the largest number of an array
everyCase = pytest.mark.parametrize("case", cases, ids=repr)
everyMode = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
everyOptimizer = pytest.mark.parametrize("kind", kinds)
eitherState = pytest.mark.parametrize("useGlobalState", [False, True], ids=["local", "global"])


if all(np.dtype(dtype).itemsize > 2 for dtype, _ in gpuarray.dtypesSupported()):
    pytest.skip(f"{gpuarray.getDeviceName()} computes in no type of 16 bits",
                allow_module_level=True)


@pytest.fixture(params=tolerances)
def half(request):
    """A type of 16 bits."""
    for dtype, _ in gpuarray.dtypesSupported():
        if np.dtype(dtype).name == request.param:
            return dtype
    pytest.skip(f"{gpuarray.getDeviceName().split()[0]} does not compute in {request.param}")


def assertClose(actual, expected, half, factor=1.0):
    expected = np.asarray(expected, np.float64)
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(
        actual.astype(np.float64), expected, 0,
        factor * tolerances[np.dtype(half).name] * largest + 1e-6)


def rounded(values, half):
    """float32 that `half` can hold."""
    return np.asarray(values).astype(half).astype(np.float32)


def modulePair(make, half):
    """A module in float32 and one in half, of the same values."""
    exact, module = make(), make()
    module.calcMode(half)
    for var, other in zip(exact.getVarTable(), module.getVarTable(), strict=True):
        var.data.set(other.data.get().astype(np.float32))
    return exact, module


# Modules

@everyMode
@everyCase
def test_every_module_is_close_to_itself_in_float32(case, train, half, rng):
    exact, module = modulePair(lambda: case.make(np.random.default_rng(3), train), half)
    data = rounded(case.data(rng), half)
    grad = rounded(rng.standard_normal(exact.dataShapeFrom(data.shape)), half)

    exactly, found = run(exact, data, grad), run(module, data.astype(half), grad)

    for actual, expected in zip(found, exactly, strict=True):
        assertClose(actual, expected, half)
    assert found[0].dtype == found[1].dtype == half
    for name, value in exact.attrs.items():
        np.testing.assert_allclose(gpuarray.toHost(module.attrs[name]), gpuarray.toHost(value),
                                   rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4096, 7), (8, 5, 33, 17)])
@pytest.mark.parametrize("mean", [0, 100, -30000])
def test_batchNorm_sums_in_float32(shape, mean, half, rng):
    """The sum of a map's numbers, and of their squares, is beyond float16's 65504."""
    deviation = max(abs(mean) / 10, 1)
    data = rounded(mean + deviation * rng.standard_normal(shape), half).astype(np.float64)
    grad = rounded(rng.standard_normal(shape), half).astype(np.float64)
    module = BatchNormND(len(shape) - 2, shape[1])
    module.calcMode(half)

    out = module(gpuarray.to_gpu(data.astype(half))).get()
    module.backward(gpuarray.to_gpu(grad.astype(half)))

    axes, column = (0, *range(2, len(shape))), (slice(None), *[None] * (len(shape) - 2))
    count, scale = data.size // shape[1], module.scale.get().astype(np.float64).ravel()[column]
    batchMean, var = data.mean(axes), data.var(axes)
    xHat = (data - batchMean[column]) / np.sqrt(var[column] + module.epsilon)
    inner = grad - grad.mean(axes)[column] - xHat * (grad * xHat).mean(axes)[column]
    assertClose(out, scale * xHat, half, factor=0.3)
    assertClose(module.grad.get(), scale * inner / np.sqrt(var[column] + module.epsilon), half, 0.3)
    for array, expected in [
            (module.mean, batchMean), (module.var, var * count / (count - 1)),
            (module.vars["scale"].grad, (grad * xHat).sum(axes)),
            (module.vars["bias"].grad, grad.sum(axes))]:
        assert array.dtype == np.float32
        np.testing.assert_allclose(array.get().ravel(), expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("low, high", [(0.0, 0.1), (-0.3, 6.1)])
def test_clip_lets_no_gradient_through_where_the_bound_itself_was_rounded(low, high, half):
    data = np.array([-8, (low + high) / 2, 8], half)
    module = Activation("clip", args=(low, high))
    module.calcMode(half)

    module(gpuarray.to_gpu(data))
    module.backward(gpuarray.to_gpu(np.ones(3, half)))

    assert module.grad.get().astype(np.float32).tolist() == [0, 1, 0]


def test_linear_is_near_its_formula(half, rng):
    module = Linear(300, 70)
    module.calcMode(half)
    data = rng.standard_normal((31, 300)).astype(half)

    out = module(gpuarray.to_gpu(data)).get()

    assert module.W.dtype == module.b.dtype == module.getVar("W").grad.dtype == out.dtype == half
    assertClose(out, data.astype(np.float64) @ module.W.get().astype(np.float64), half, 0.3)


# Modes

def net(seed=1):
    np.random.seed(seed)
    return Sequential("net").extend([
        Flatten(name="flat"), Linear(13, 30, name="first"), BatchNorm(30, name="norm"),
        BatchNorm(30, affine=False, name="plain"), Activation("relu"), Linear(30, 7, name="last")])


def test_calcMode_there_and_back_leaves_what_half_can_hold(half):
    module = net()
    module.calcMode(half)
    before = stateOf(module)
    dtypes = {path: var.data.dtype for var, (path, *_) in module.getVarTable().items()}

    module.calcMode(np.float32)
    for path, *_ in module.getVarTable().values():
        assert module.getVar(path.partition(".")[2]).data.dtype == np.float32
    module.calcMode(half)

    assert stateOf(module) == before
    assert {path for path, dtype in dtypes.items() if dtype == np.float32} == {
        "net.norm.scale", "net.norm.bias"}
    assert module["norm"].mean.dtype == module["plain"].scale.dtype == np.float32


def test_statistics_keep_their_bits_from_mode_to_mode(half, rng):
    case = Case(BatchNorm, 5, shape=(4, 5))
    module = case.make(rng)
    before = stateOf(module)

    module.calcMode(half)

    assert stateOf(module) == before


def test_data_of_another_dtype_is_refused(half):
    module = Linear(3, 2, name="lin")
    module.calcMode(half)
    name = np.dtype(half).name

    with pytest.raises(ModuleError, match=f"lin.*expected data of dtype {name}, got float32"):
        module(gpuarray.zeros((2, 3)))
    module(gpuarray.zeros((2, 3), half))
    with pytest.raises(ModuleError, match=f"lin.*expected grad of dtype {name}, got float32"):
        module.backward(gpuarray.zeros((2, 2)))


# Ops and costs

@pytest.mark.parametrize("size", [1, 7, 100003])
def test_cast(size, half, rng):
    values = (rng.standard_normal(size) * 100).astype(np.float32)

    low = Vector.cast(gpuarray.to_gpu(values), half)
    high = Vector.cast(low, np.float32)
    same, wide = Vector.cast(low, half), Vector.cast(low, np.float64)

    assert low.get().tobytes() == values.astype(half).tobytes() == same.get().tobytes()
    assert np.array_equal(high.get(), rounded(values, half)) and high.dtype == np.float32
    assert np.array_equal(wide.get(), rounded(values, half)) and wide.dtype == np.float64


def test_gather(half, rng):
    values, indices = rng.standard_normal((9, 4)).astype(half), np.array([3, 3, 0, 8], np.int32)

    out = Vector.gather(gpuarray.to_gpu(values), gpuarray.to_gpu(indices))

    assert out.get().tobytes() == values[indices].tobytes()


def test_mse_sums_in_float32(half, rng):
    """Squares of a sample sum up to more than float16 holds."""
    pred, target = (rounded(200 * rng.standard_normal((5, 130)), half) for _ in range(2))

    cost = MSE()
    error, grad = cost(*(gpuarray.to_gpu(each.astype(half)) for each in (pred, target)))

    assert cost.errors.dtype == np.float32 and grad.dtype == half
    assert error == pytest.approx(((target - pred).astype(np.float64) ** 2).mean() / 2, rel=1e-5)
    assert cost.getMeanError() == pytest.approx(error, rel=1e-5)
    assertClose(grad.get(), (target - pred) / pred.size, half, 0.5)


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_crossEntropy(shape, weighted, half, rng):
    scores = rounded(3 * rng.standard_normal(shape), half)
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:])).astype(np.int32)
    weights = rng.uniform(0.1, 3, shape[1]) if weighted else None
    device = [gpuarray.to_gpu(scores.astype(half)), gpuarray.to_gpu(labels)]

    costs = CrossEntropy(weights=weights), CrossEntropy(weights=weights)
    error, grad = costs[0](*device)
    exact, exactGrad = costs[1](gpuarray.to_gpu(scores), device[1])

    assert error == pytest.approx(exact, rel=1e-5)
    assert costs[0].validate(*device) == costs[1].validate(gpuarray.to_gpu(scores), device[1])
    assertClose(grad.get(), exactGrad.get(), half, 0.5)


# Optimizers

def steps(optimizer, module, values, gradients, useGlobalState):
    """The parameters after steps along gradients, of `values` at first."""
    module.W.set(values.astype(module.W.dtype))
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    for gradient in gradients:
        module.getVar("W").grad.set(gradient.astype(module.W.dtype))
        optimizer.update()
    return module.W.get()


@everyOptimizer
@eitherState
@pytest.mark.parametrize("decay", [0, 0.1])
def test_steps_too_small_for_half_add_up_in_the_master_copy(
        kind, useGlobalState, decay, half, rng):
    values = rounded(1 + rng.uniform(0, 1, (37, 53)), half)
    gradients = rounded(rng.uniform(1, 2, (60, 37, 53)), half)

    results = []
    for dtype in (np.float32, half):
        module, optimizer = Linear(37, 53, useBias=False, name="module"), kind(5e-5)
        module.calcMode(dtype)
        module.getVar("W").wc = 1.0
        if decay:
            optimizer.addHook(WeightDecay(decay))
        results.append(steps(optimizer, module, values, gradients, useGlobalState))
    exact, found = results

    assert found.tobytes() == exact.astype(half).tobytes()
    assert (exact > values + 5e-4).all()  # as much as no sum of single rounded steps would be


@everyOptimizer
def test_global_and_local_state_give_the_same_bits(kind, half):
    results = []
    for useGlobalState in (False, True):
        module, optimizer = net(), kind(1e-2)
        module.calcMode(half)
        optimizer.setupOn(module, useGlobalState=useGlobalState)
        rng = np.random.default_rng(5)
        for _ in range(5):
            data, grad = (rng.standard_normal((17, size)).astype(half) for size in (13, 7))
            module(gpuarray.to_gpu(data))
            optimizer.zeroGradParams()
            module.backward(gpuarray.to_gpu(grad), updGrad=False)
            optimizer.update()
        results.append(stateOf(module))

    assert results[0] == results[1]
    assert list(optimizer.states) == ["global float32", "global"]
    assert optimizer.globalVar.data.dtype == half
    assert optimizer.states["global"]["master"].dtype == np.float32
    assert "master" not in optimizer.states["global float32"]


def test_global_variable_has_the_rates_of_all_dtypes(half):
    module, optimizer = net(), SGD(1.0)
    module.calcMode(half)
    optimizer.setupOn(module, useGlobalState=True)
    optimizer.globalVar.learnRate = 0.25
    before = [var.data.get().astype(np.float32) for var in module.getVarTable()]
    for var in module.getVarTable():
        var.grad.fill(2)

    optimizer.update()

    for var, old in zip(module.getVarTable(), before, strict=True):
        np.testing.assert_array_equal(var.data.get(), (old + 0.5).astype(var.data.dtype))


@eitherState
def test_the_master_copy_follows_a_parameter_that_others_set(useGlobalState, half):
    module = Linear(2, 1, useBias=False, name="module")
    module.calcMode(half)
    optimizer = SGD(2.0 ** -10)
    ones = np.ones((2, 1))
    steps(optimizer, module, ones, [ones], useGlobalState)
    module.W.set(np.array([[5], [module.W.get()[1, 0]]]).astype(half))

    optimizer.update()

    master, = (state["master"] for state in optimizer.states.values())
    assert master.get().ravel()[:2].tolist() == [5 + 2 ** -10, 1 + 2 * 2 ** -10]


@everyOptimizer
@eitherState
def test_training_brings_the_error_down(kind, useGlobalState, half, rng):
    labels = rng.integers(0, 7, 64).astype(np.int32)
    data = rng.standard_normal((7, 13))[labels] + 0.1 * rng.standard_normal((64, 13))
    data, labels = gpuarray.to_gpu(data.astype(half)), gpuarray.to_gpu(labels)
    module, cost, optimizer = net(), CrossEntropy(), kind(0.01 if kind is Adam else 0.1)
    module.calcMode(half)
    optimizer.setupOn(module, useGlobalState=useGlobalState)

    for _ in range(40):
        error, grad = cost(module(data), labels)
        optimizer.zeroGradParams()
        module.backward(grad, updGrad=False)
        optimizer.update()

    assert error < 0.3 and cost.validate(module(data), labels) == 0


def test_a_variable_with_an_updater_updates_itself(half):
    module, optimizer = Linear(3, 2), SGD(learnRate=0.5)
    module.calcMode(half)
    module.setVar("W", Variable(gpuarray.zeros((3, 2), half), updater=(
        lambda var, learnRate: var.data.fill(learnRate))))

    optimizer.setupOn(module)
    optimizer.zeroGradParams()
    optimizer.update()

    assert (module.W.get() == 0.5).all()


# Files

def test_weights_come_back_from_a_file(half):
    module, other = net(seed=1), net(seed=2)
    for each in (module, other):
        each.calcMode(half)

    content = module.save()
    other.load(content)

    assert stateOf(other) == stateOf(module)
    stored = np.float32 if np.dtype(half).kind != "f" else half  # h5 knows no bfloat16
    with h5py.File(io.BytesIO(content)) as file:
        assert file["params/0"].dtype == stored


def test_weights_that_half_cannot_hold_are_refused(half):
    module, exact = net(), net()
    module.calcMode(half)
    before = stateOf(module)

    with pytest.raises(ModuleError, match=f"params/0.*{np.dtype(half).name}"):
        module.load(exact.save())

    assert stateOf(module) == before


@eitherState
def test_hooks_see_the_gradient_in_full_but_clipNorm(useGlobalState, half, rng):
    values, gradients = rounded(rng.uniform(1, 2, (37, 53)), half), rng.uniform(2, 3, (3, 37, 53))

    results = []
    for dtype in (np.float32, half):
        module, optimizer = Linear(37, 53, useBias=False, name="module"), MomentumSGD(1e-3)
        module.calcMode(dtype)
        for hook in (clip := ClipNorm(50), ClipValue(1), WeightDecay(0.1, of="weights"), L1(0.1)):
            optimizer.addHook(hook)
        results.append(steps(optimizer, module, values, rounded(gradients, half), useGlobalState))
        assert clip.norm() == pytest.approx(np.linalg.norm(gradients[-1]), rel=1e-2)

    assertClose(results[1], results[0], half, 0.3)


@eitherState
def test_averages_are_in_float32(useGlobalState, half, rng):
    module, optimizer = Linear(5, 3, useBias=False, name="module"), SGD(0.1)
    module.calcMode(half)
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    average, expected = EMA(optimizer, 0.99), module.W.get().astype(np.float64)

    for gradient in rng.standard_normal((20, 5, 3)):
        module.getVar("W").grad.set(gradient.astype(half))
        optimizer.update()
        expected = 0.99 * expected + 0.01 * module.W.get().astype(np.float64)

    found, = average.parts().values()
    np.testing.assert_allclose(found.get(), expected, rtol=1e-5, atol=1e-6)
    before = module.W.get().tobytes()
    with average.swapped():
        assert module.W.get().tobytes() == found.get().astype(half).tobytes()
    assert module.W.get().tobytes() == before


@everyOptimizer
@eitherState
def test_a_loaded_optimizer_goes_on_with_the_same_bits(kind, useGlobalState, half, rng):
    gradients, results = rounded(rng.standard_normal((6, 37, 53)), half), []
    for isNew in (False, True):
        module, optimizer = Linear(37, 53, useBias=False, name="module"), kind(1e-2)
        module.calcMode(half)
        steps(optimizer, module, rounded(np.ones((37, 53)), half), gradients[:3], useGlobalState)
        if isNew:
            weights, image = module.save(), optimizer.save()
            module, optimizer = Linear(37, 53, useBias=False, name="module"), kind(1e-2)
            module.calcMode(half)
            optimizer.setupOn(module, useGlobalState=useGlobalState)
            module.load(weights)
            optimizer.load(image)
        for gradient in gradients[3:]:
            module.getVar("W").grad.set(gradient.astype(half))
            optimizer.update()
        state = [array.get().tobytes() for array in optimizer.stateArrays().values()]
        results.append([module.W.get().tobytes(), *state])

    assert results[0] == results[1]
