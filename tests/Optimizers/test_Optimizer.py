"""What every optimizer promises; the formula of each has a test of its own."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNorm, Linear
from minidl.Optimizers import (
    SGD,
    SMORMS3,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    MomentumSGD,
    NesterovSGD,
    RMSProp,
    RMSPropGraves,
)
from minidl.Optimizers.Optimizer import OptimizerError
from minidl.Variable import Variable

kinds = [SGD, MomentumSGD, NesterovSGD, AdaGrad, AdaDelta, RMSProp, RMSPropGraves, Adam, AdamW,
         SMORMS3]
everyOptimizer = pytest.mark.parametrize("kind", kinds)
eitherState = pytest.mark.parametrize("useGlobalState", [False, True], ids=["local", "global"])


def mlp(name="net"):
    np.random.seed(1)
    net = Sequential(name).append(Linear(13, 300)).append(BatchNorm(300)).append(Activation("relu"))
    return net.append(Linear(300, 7, name="last"))


def train(net, optimizer, steps=5):
    """Steps on the same random batches each time."""
    rng = np.random.default_rng(5)
    for _ in range(steps):
        data, grad = (rng.standard_normal((17, size)).astype(np.float32) for size in (13, 7))
        net(gpuarray.to_gpu(data))
        optimizer.zeroGradParams()
        net.backward(gpuarray.to_gpu(grad), updGrad=False)
        optimizer.update()
    return [var.data.get().tobytes() for var in net.getVarTable()]


def single(kind, values=(1.0, -2.0), useGlobalState=False, **arguments):
    """(module, its Variable, optimizer set up on it): a row of weights with gradients of 1."""
    module = Linear(1, len(values), useBias=False, name="module")
    module.W.set(np.array([values], np.float32))
    optimizer = kind(**arguments)
    optimizer.setupOn(module, useGlobalState=useGlobalState)
    module.getVar("W").grad.fill(1)
    return module, module.getVar("W"), optimizer


@everyOptimizer
def test_global_and_local_state_give_the_same_bits(kind):
    results = []
    for useGlobalState in (False, True):
        net, optimizer = mlp(), kind(1e-2)
        optimizer.setupOn(net, useGlobalState=useGlobalState)
        results.append(train(net, optimizer))

    assert results[0] == results[1]


@everyOptimizer
@eitherState
def test_same_bits_for_any_number_of_threads(kind, useGlobalState, device):
    results = []
    for threads in (1, 2, 3):
        device.setThreads(threads)
        net, optimizer = mlp(), kind(1e-2)
        optimizer.setupOn(net, useGlobalState=useGlobalState)
        results.append(train(net, optimizer))

    assert results[0] == results[1] == results[2]


@everyOptimizer
@eitherState
def test_every_step_moves_every_parameter(kind, useGlobalState):
    net, optimizer = mlp(), kind(1e-2)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    before = [var.data.get() for var in net.getVarTable()]

    train(net, optimizer, steps=1)

    for var, old in zip(net.getVarTable(), before, strict=True):
        assert (var.data.get() != old).mean() > 0.5
    assert optimizer.t == 1


def test_global_state_makes_views_of_one_array():
    net, optimizer = mlp(), MomentumSGD()
    values = [var.data.get() for var in net.getVarTable()]

    optimizer.setupOn(net, useGlobalState=True)

    whole = optimizer.globalVar
    for module in net:
        for name, var in module.vars.items():
            assert getattr(module, name) is var.data
            for part, everything in ((var.data, whole.data), (var.grad, whole.grad)):
                assert everything.ptr <= part.ptr < everything.ptr + everything.nbytes
    assert all(np.array_equal(var.data.get(), old)
               for var, old in zip(net.getVarTable(), values, strict=True))
    assert list(optimizer.states) == ["global"]


@eitherState
def test_a_shared_variable_stays_shared_and_moves_once(useGlobalState):
    first, second = Linear(3, 3, useBias=False), Linear(3, 3, useBias=False, empty=True)
    second.setVar("W", first.getVar("W"))
    net, optimizer = Sequential().append(first).append(second), SGD(learnRate=0.5)

    optimizer.setupOn(net, useGlobalState=useGlobalState)
    before = first.W.get()
    net(gpuarray.to_gpu(np.eye(3, dtype=np.float32)))
    optimizer.zeroGradParams()
    net.backward(gpuarray.to_gpu(np.eye(3, dtype=np.float32)))
    optimizer.update()

    assert first.getVar("W") is second.getVar("W") and first.W is second.W
    np.testing.assert_allclose(first.W.get(), before + 0.5 * 2 * before.T, rtol=1e-6, atol=1e-7)
    assert net.numOfParams() == 9


@eitherState
def test_zeroGradParams_clears_what_was_left_nan_included(useGlobalState):
    net, optimizer = mlp(), SGD()
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    for var in net.getVarTable():
        var.grad.fill(np.nan)

    optimizer.zeroGradParams()

    assert all((var.grad.get() == 0).all() for var in net.getVarTable())


def test_variables_have_rates_of_their_own():
    module, var, optimizer = single(MomentumSGD, learnRate=0.5, momRate=0.5)
    var.learnRate, var.momRate = 0.25, 0.5

    optimizer.update()
    optimizer.update()

    speed = [0.125, 0.25 * 0.125 + 0.125]
    np.testing.assert_allclose(module.W.get(), [[1 + sum(speed), -2 + sum(speed)]], rtol=1e-6)


def test_a_variable_without_a_rate_stays():
    module, var, optimizer = single(SGD, learnRate=0.5)
    var.learnRate = 0

    optimizer.update()

    assert module.W.get().tolist() == [[1, -2]]


def test_global_variable_has_the_rates_of_all():
    module, var, optimizer = single(SGD, useGlobalState=True, learnRate=0.5)
    var.learnRate, optimizer.globalVar.learnRate = 7, 0.5

    optimizer.update()

    np.testing.assert_allclose(module.W.get(), [[1.25, -1.75]], rtol=1e-6)


@eitherState
def test_a_variable_with_an_updater_updates_itself(useGlobalState):
    def updater(var, learnRate):
        calls.append(learnRate)
        var.data.fill(5)

    calls, net, optimizer = [], mlp(), SGD(learnRate=0.5)
    own = Variable(gpuarray.zeros((300, 7)), updater=updater)
    net.setVar("last.W", own)

    optimizer.setupOn(net, useGlobalState=useGlobalState)
    train(net, optimizer, steps=2)

    assert calls == [0.5, 0.5]
    assert net["last"].getVar("W") is own and (net["last"].W.get() == 5).all()


def test_a_variable_with_an_updater_needs_no_gradient():
    updates, module = [], Linear(3, 2)
    module.setVar("W", Variable(gpuarray.zeros((3, 2)), withgrad=False, updater=(
        lambda var, learnRate: updates.append(learnRate))))
    optimizer = SGD(learnRate=0.25)
    optimizer.setupOn(module)

    optimizer.zeroGradParams()
    optimizer.update()

    assert updates == [0.25]


def test_post_updater_comes_after_each_step():
    module, var, optimizer = single(SGD, learnRate=0.5)
    var.postUpdater = lambda var: var.data.set(np.clip(var.data.get(), -1, 1))

    optimizer.update()

    assert module.W.get().tolist() == [[1, -1]]


@everyOptimizer
def test_setup_starts_state_anew(kind):
    results = []
    optimizer = kind(1e-2)
    for _ in range(2):
        net = mlp()
        optimizer.setupOn(net, useGlobalState=True)
        results.append(train(net, optimizer))

    assert results[0] == results[1] and optimizer.t == 5


@everyOptimizer
@pytest.mark.parametrize("call", ["update", "zeroGradParams"])
def test_setup_comes_first(kind, call):
    with pytest.raises(OptimizerError, match=rf"{kind.__name__}: setupOn\(module\) comes first"):
        getattr(kind(), call)()


def test_refuses_a_module_without_parameters():
    with pytest.raises(OptimizerError, match="SGD: Sequential 'net' has no parameters"):
        SGD().setupOn(Sequential("net").append(Activation("relu")))


@pytest.mark.parametrize("globalState", [False, True])
def test_variables_without_a_gradient_stay_as_they_are(globalState, rng):
    module = Linear(2, 3, name="module")
    frozen = gpuarray.to_gpu(rng.standard_normal((2, 3)).astype(np.float32))
    module.setVar("W", Variable(frozen, withgrad=False))
    W, b = module.W.get(), module.b.get()

    optimizer = SGD(learnRate=0.5)
    optimizer.setupOn(module, useGlobalState=globalState)
    module(gpuarray.to_gpu(np.ones((4, 2), np.float32)))
    optimizer.zeroGradParams()
    module.backward(gpuarray.to_gpu(np.ones((4, 3), np.float32)))
    optimizer.update()

    np.testing.assert_array_equal(module.W.get(), W)
    np.testing.assert_array_equal(module.b.get(), b + 0.5 * 4)


def test_refuses_a_module_of_frozen_variables():
    module = Linear(2, 3, useBias=False, name="module")
    module.setVar("W", Variable(gpuarray.zeros((2, 3)), withgrad=False))

    with pytest.raises(OptimizerError, match="no parameters with a gradient"):
        SGD().setupOn(module)


def test_global_state_needs_one_dtype():
    net = mlp()
    net["last"].calcMode(np.float64)

    with pytest.raises(OptimizerError, match="one dtype, got .*float32.*float64"):
        SGD().setupOn(net, useGlobalState=True)


@pytest.mark.parametrize("kind, arguments", [
    (SGD, dict(learnRate=-1e-3)), (SGD, dict(learnRate=np.nan)), (MomentumSGD, dict(momRate=-1)),
    (NesterovSGD, dict(learnRate=-1)), (Adam, dict(alpha=-1)), (Adam, dict(epsilon=-1e-8)),
    (Adam, dict(beta1=-0.1)), (Adam, dict(beta2=np.nan)), (AdaGrad, dict(learnRate=-1)),
    (AdaDelta, dict(epsilon=-1)), (RMSProp, dict(factor=-1)), (RMSPropGraves, dict(momRate=-1)),
    (SMORMS3, dict(epsilon=np.nan)),
])
def test_refuses_negative_rates(kind, arguments):
    (name, value), = arguments.items()

    with pytest.raises(OptimizerError, match=f"{name} must be at least 0 and finite, got {value}"):
        kind(**arguments)


@everyOptimizer
def test_refuses_several_devices(kind):
    with pytest.raises(OptimizerError, match="nodeinfo .* is not supported yet"):
        kind(nodeinfo=object())
