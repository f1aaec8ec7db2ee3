"""Files of optimizers: PuzzleLib's layout, the same bits again, and what is refused."""

import io

import h5py
import numpy as np
import pytest

from minidl.Containers import Sequential
from minidl.GuardedFile import WeightsError
from minidl.Modules import Linear, ModuleError
from minidl.Optimizers import SGD, AdaDelta, Adam, AdamW, MomentumSGD
from minidl.Optimizers.Optimizer import OptimizerError
from tests.Optimizers.test_Optimizer import eitherState, everyOptimizer, kinds, mlp, train
from tests.WeightFiles import changed, put


def trained(kind, useGlobalState, steps=3):
    net, optimizer = mlp(), kind(1e-2)
    optimizer.setupOn(net, useGlobalState=useGlobalState)
    train(net, optimizer, steps)
    return net, optimizer


def stateOf(optimizer):
    """All that an optimizer keeps, by name."""
    numbers = {name: getattr(optimizer, name) for name in ("t", *optimizer.rates)}
    return {**numbers, **{key: array.get().tobytes()
                          for key, array in optimizer.stateArrays().items()}}


@everyOptimizer
@eitherState
@pytest.mark.parametrize("savedGlobally", [False, True])
def test_a_loaded_optimizer_goes_on_with_the_same_bits(kind, useGlobalState, savedGlobally):
    net, optimizer = trained(kind, savedGlobally)
    weights, image = net.save(), optimizer.save()
    other, loaded = trained(kind, useGlobalState, steps=1)

    other.load(weights)
    loaded.load(image)

    assert stateOf(loaded) == stateOf(optimizer)
    assert train(other, loaded) == train(net, optimizer)
    assert stateOf(loaded) == stateOf(optimizer)


@everyOptimizer
def test_the_layout_is_puzzleLibs(kind):
    net, optimizer = trained(kind, True)
    with h5py.File(io.BytesIO(), "w") as file:
        optimizer.save(file, "adam")
        attrs = {key: value[()] for key, value in file["adam.attrs"].items()}
        states = {key: value.shape for key, value in file["adam.states"].items()}

    assert attrs == {name: getattr(optimizer, name) for name in ("t", *optimizer.rates)}
    assert states == {f"{names[0]}.{entity}": var.data.shape
                      for var, names in net.getVarTable().items() for entity in optimizer.entities}


def puzzleLibFile(file, net, dtype, start):
    """Writes what PuzzleLib's MomentumSGD does under global state; {variable: its momentum}."""
    rng = np.random.default_rng(7)
    file.create_group(".attrs")
    file[".attrs/t"], file[".attrs/learnRate"], file[".attrs/momRate"] = 5, 0.25, 0.5
    moms, flat = {}, []
    for name, var in sorted((names[0], var) for var, names in net.getVarTable().items()):
        moms[name] = rng.standard_normal(var.data.shape).astype(dtype)
        flat += [moms[name].ravel(), np.zeros(-moms[name].size % (start // dtype().itemsize))]
    key = f".states/<class 'numpy.{dtype.__name__}'>.mom"
    file.create_dataset(key, data=np.concatenate(flat).astype(dtype), compression="gzip")
    return moms


@eitherState
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [16, 8])
def test_puzzleLibs_global_state_is_read(start, dtype, useGlobalState):
    start = start if start == 16 else dtype().itemsize  # one behind the other, on the CPU
    net, optimizer = mlp(), MomentumSGD()
    net.calcMode(dtype)
    optimizer.setupOn(net, useGlobalState=useGlobalState)

    with h5py.File(io.BytesIO(), "w") as file:
        moms = puzzleLibFile(file, net, dtype, start)
        optimizer.load(file)

    assert (optimizer.t, optimizer.learnRate, optimizer.momRate) == (5, 0.25, 0.5)
    loaded = {key: array.get() for key, array in optimizer.stateArrays().items()}
    assert loaded.keys() == {f"{name}.mom" for name in moms}
    assert all(np.array_equal(loaded[f"{name}.mom"], mom) for name, mom in moms.items())


@pytest.mark.parametrize("kind", [AdaDelta, Adam, AdamW])
def test_a_rate_that_is_not_puzzleLibs_may_be_missing(kind):
    optimizer, net = kind(), mlp()
    optimizer.setupOn(net)
    before = optimizer.learnRate
    without = changed(lambda file: file[".attrs"].__delitem__("learnRate"), optimizer.save())

    optimizer.load(without)

    assert optimizer.learnRate == before
    with pytest.raises(ModuleError, match="attrs/epsilon is missing"):
        optimizer.load(changed(lambda file: file[".attrs"].__delitem__("epsilon"), without))


def external(file):
    del file[".states/net.0.b.mg"]
    file.create_dataset(
        ".states/net.0.b.mg", (300,), np.float32, external=[("/etc/passwd", 0, 1200)])


def soft(file):
    del file[".attrs/alpha"]
    file[".attrs/alpha"] = h5py.SoftLink("/.attrs/beta1")


refused = [
    (lambda file: file.__delitem__(".attrs"), r"\.attrs/t is missing"),
    (lambda file: file.__delitem__(".states/net.1.scale.ms"), r"net.1.scale.ms is missing"),
    (put(".attrs/update", 1.0), r"\.attrs/update is not"),
    (put(".attrs/__class__", 1.0), r"\.attrs/__class__ is not"),
    (put(".states/net.9.W.mg", np.zeros(3)), r"net.9.W.mg is not"),
    (put(".attrs/t", -1), r"\.attrs/t must be at least 0 and finite|t must be at least 0"),
    (put(".attrs/t", 1.5), r"\.attrs/t must have dtype int64, the file has float64"),
    (put(".attrs/alpha", np.nan), r"alpha must be at least 0 and finite, got nan"),
    (put(".attrs/beta1", 1.0), r"beta1 must be below 1, got 1"),
    (put(".attrs/alpha", [0.1]), r"alpha must have shape \(\), the file has \(1,\)"),
    (put(".attrs/alpha", "0.1"), r"alpha must have dtype float64"),
    (put(".states/net.0.b.mg", np.zeros((1,), np.float32)), r"must have shape \(300,\)"),
    (put(".states/net.0.b.mg", np.zeros(300)), r"must have dtype float32, the file has float64"),
    (external, "must hold its own data"),
    (soft, "must be a hard link"),
    (put(".states/<class 'numpy.float32'>.mg", np.zeros(7, np.float32)), r"must have shape \(\d+"),
]


@eitherState
@pytest.mark.parametrize("wrong, message", refused)
def test_a_file_that_does_not_fit_changes_nothing(wrong, message, useGlobalState, tmp_path):
    _, optimizer = trained(Adam, useGlobalState)
    path = tmp_path / "adam.hdf"
    optimizer.save(path)
    train(mlp(), optimizer)
    with h5py.File(path, "r+") as file:
        wrong(file)
        before = stateOf(optimizer)
        with pytest.raises(WeightsError, match=f"Adam: cannot load .*{message}"):
            optimizer.load(file)

    assert stateOf(optimizer) == before


@pytest.mark.parametrize("kind", [each for each in kinds if each is not SGD])
def test_a_file_of_another_optimizer_is_refused(kind):
    _, optimizer = trained(kind, True)
    _, sgd = trained(SGD, True)
    before = stateOf(optimizer), stateOf(sgd)

    with pytest.raises(WeightsError):
        optimizer.load(sgd.save())
    with pytest.raises(WeightsError):
        sgd.load(optimizer.save())

    assert (stateOf(optimizer), stateOf(sgd)) == before


def test_a_shared_variable_is_in_a_file_once():
    first, second = Linear(3, 3, useBias=False), Linear(3, 3, useBias=False, empty=True)
    second.setVar("W", first.getVar("W"))
    optimizer = MomentumSGD()
    optimizer.setupOn(Sequential("net").append(first).append(second), useGlobalState=True)

    with h5py.File(io.BytesIO(), "w") as file:
        optimizer.save(file)
        assert list(file[".states"]) == ["net.0.W.mom"]


@pytest.mark.parametrize("use", [
    lambda sgd: sgd.save(), lambda sgd: sgd.load(trained(SGD, True)[1].save())])
def test_setup_comes_first(use):
    with pytest.raises(OptimizerError, match=r"SGD: setupOn\(module\) comes first"):
        use(SGD())
