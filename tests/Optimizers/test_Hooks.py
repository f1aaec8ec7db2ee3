import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Linear
from minidl.Optimizers import SGD
from minidl.Optimizers.Hooks import L1, ClipNorm, ClipValue, WeightDecay

eitherState = pytest.mark.parametrize("useGlobalState", [False, True], ids=["local", "global"])


def stepped(wc, rate=0.1, useGlobalState=False):
    """(W after a step with gradients of 1 and weight decay, W before)"""
    module, optimizer = Linear(3, 4, useBias=False), SGD(learnRate=0.5)
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    optimizer.addHook(WeightDecay(rate))
    module.getVar("W").grad.fill(1)
    (optimizer.globalVar if useGlobalState else module.getVar("W")).wc = wc
    before = module.W.get()
    optimizer.update()
    return module.W.get(), before


@pytest.mark.parametrize("useGlobalState", [False, True])
def test_weight_decay_draws_parameters_to_zero(useGlobalState):
    after, before = stepped(2.0, useGlobalState=useGlobalState)

    np.testing.assert_allclose(after, before + 0.5 * (1 - 0.1 * 2 * before), rtol=1e-6, atol=1e-7)


def test_a_variable_whose_wc_is_zero_does_not_decay():
    after, before = stepped(0.0)

    np.testing.assert_allclose(after, before + 0.5, rtol=1e-6, atol=1e-7)


def test_variables_start_without_decay():
    assert all(var.wc == 0 for var in Linear(3, 4).vars.values())


def test_hooks_come_in_the_order_they_were_added():
    module, optimizer = Linear(1, 1, useBias=False), SGD(learnRate=1)
    optimizer.setupOn(module)
    module.W.fill(0)
    module.getVar("W").grad.fill(1)
    optimizer.addHook(lambda var, state: var.grad.set(var.grad.get() + 2))
    optimizer.addHook(lambda var, state: var.grad.set(var.grad.get() * 5))

    optimizer.update()

    assert module.W.get() == 15


def test_hooks_see_the_state_of_the_variable():
    from minidl.Optimizers import Adam

    module, optimizer, seen = Linear(2, 3), Adam(), []
    optimizer.setupOn(module)
    optimizer.addHook(lambda var, state: seen.append((var, sorted(state), state["mg"].shape)))

    optimizer.update()

    variables = [module.getVar("W"), module.getVar("b")]
    assert [(var, names) for var, names, _ in seen] == [(var, ["mg", "ms"]) for var in variables]
    assert all(shape == var.data.shape for var, _, shape in seen)
    assert isinstance(seen[0][0].data, gpuarray.GPUArray)


def mixed():
    """A net with weights, biases and a normalization, all full of 2, and gradients of 1."""
    net = Sequential("net").append(Linear(3, 5, name="lin")).append(BatchNorm(5, name="bn"))
    for var in net.getVarTable():
        var.data.fill(2)
        var.grad.fill(1)
    return net


def afterHook(hook, useGlobalState):
    """{name: the values that a parameter of `mixed` has after a step}, each a set"""
    net, optimizer = mixed(), SGD(learnRate=1)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    optimizer.addHook(hook)
    optimizer.update()
    return {names[0]: set(var.data.get().ravel().tolist())
            for var, names in net.getVarTable().items()}


@eitherState
def test_weight_decay_of_weights_skips_biases_and_normalizations(useGlobalState):
    assert afterHook(WeightDecay(0.25, of="weights"), useGlobalState) == {
        "net.lin.W": {2.5}, "net.lin.b": {3}, "net.bn.scale": {3}, "net.bn.bias": {3}}


@eitherState
def test_weight_decay_of_all(useGlobalState):
    after = afterHook(WeightDecay(0.25, of="all"), useGlobalState)

    assert list(after.values()) == [{2.5}] * 4


@eitherState
def test_l1_draws_weights_by_their_sign(useGlobalState):
    assert afterHook(L1(0.25), useGlobalState) == {
        "net.lin.W": {2.75}, "net.lin.b": {3}, "net.bn.scale": {3}, "net.bn.bias": {3}}
    assert list(afterHook(L1(0.25, of="all"), useGlobalState).values()) == [{2.75}] * 4


def given(gradients, hook, dtype=np.float32, useGlobalState=False):
    """The gradients of one variable each after a step with a hook."""
    net, optimizer = Sequential("net"), SGD(learnRate=1)
    for gradient in gradients:
        net.append(Linear(*gradient.shape, useBias=False))
    net.calcMode(dtype)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    for module, gradient in zip(net, gradients, strict=True):
        module.W.fill(0)
        module.getVar("W").grad.set(gradient.astype(dtype))
    optimizer.addHook(hook)
    optimizer.update()
    return [module.W.get() for module in net]


def test_l1_leaves_zeros_alone_and_knows_signs():
    module, optimizer = Linear(1, 3, useBias=False), SGD(learnRate=1)
    module.W.set(np.float32([[-2, 0, 2]]))
    optimizer.setupOn(module)
    optimizer.addHook(L1(0.5))

    optimizer.update()

    assert module.W.get().tolist() == [[-1.5, 0, 1.5]]


def test_clipValue_bounds_each_element_and_keeps_nan():
    gradient = np.array([[-5, -0.5, 0], [0.25, 3, np.nan]])

    after, = given([gradient], ClipValue(0.5))

    np.testing.assert_array_equal(after, [[-0.5, -0.5, 0], [0.25, 0.5, np.nan]])


@eitherState
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("limit", [1.0, 50.0, 1e6])
def test_clipNorm_bounds_the_norm_of_all_gradients_together(limit, dtype, useGlobalState, rng):
    gradients = [rng.standard_normal(shape) for shape in [(3, 5), (200, 131), (7, 1)]]
    norm = np.sqrt(sum((gradient ** 2).sum() for gradient in gradients))
    hook = ClipNorm(limit)

    after = given(gradients, hook, dtype, useGlobalState)

    for actual, gradient in zip(after, gradients, strict=True):
        np.testing.assert_allclose(actual, gradient * min(1, limit / norm), rtol=2e-6)
    assert hook.norm() == pytest.approx(norm, rel=1e-6)


def test_clipNorm_gives_the_same_bits_for_any_number_of_threads(device, rng):
    gradients, results = [rng.standard_normal((300, 401)), rng.standard_normal((5, 3))], []
    for threads in (1, 2, 3):
        device.setThreads(threads)
        results.append([array.tobytes() for array in given(gradients, ClipNorm(0.1))])

    assert results[0] == results[1] == results[2]


def test_clipNorm_sees_no_variable_that_stays():
    net, optimizer = mixed(), SGD(learnRate=1)
    net["lin"].getVar("W").learnRate = 0
    optimizer.setupOn(net)
    optimizer.addHook(hook := ClipNorm(100))

    optimizer.update()

    assert hook.norm() == pytest.approx(np.sqrt(15))


@eitherState
def test_clipNorm_has_nothing_to_do_where_nothing_moves(useGlobalState):
    module, optimizer = Linear(2, 3, useBias=False), SGD()
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    (optimizer.globalVar or module.getVar("W")).learnRate = 0
    optimizer.addHook(ClipNorm(1))

    optimizer.update()

    assert optimizer.t == 1


def test_clipNorm_comes_before_hooks_that_see_one_variable():
    module, optimizer = Linear(1, 1, useBias=False), SGD(learnRate=1)
    optimizer.setupOn(module)
    module.W.fill(0)
    module.getVar("W").grad.fill(8)
    optimizer.addHook(lambda var, state: var.grad.set(var.grad.get() + 2))
    optimizer.addHook(ClipNorm(1))

    optimizer.update()

    assert module.W.get() == 3


def test_a_steady_step_with_hooks_asks_the_system_for_no_memory():
    net, optimizer = mixed(), SGD()
    optimizer.setupOn(net, useGlobalState=True)
    for hook in (ClipNorm(1), ClipValue(1), WeightDecay(1e-4, of="weights"), L1(1e-4)):
        optimizer.addHook(hook)
    optimizer.update()
    before = gpuarray.memoryPool.getStats()[2]

    optimizer.update()

    assert gpuarray.memoryPool.getStats()[2] == before


@pytest.mark.parametrize("make, message", [
    (lambda: WeightDecay(1, of="biases"), "WeightDecay: of must be one of wc, weights, all, got"),
    (lambda: L1(1, of="wc"), "L1: of must be one of weights, all, got 'wc'"),
    (lambda: ClipNorm(0), "ClipNorm: limit must be above 0, got 0"),
    (lambda: ClipValue(np.nan), "ClipValue: limit must be above 0, got nan"),
])
def test_refuses_what_it_does_not_know(make, message):
    with pytest.raises(ValueError, match=message):
        make()
