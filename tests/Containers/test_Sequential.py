import json

import numpy as np
import pytest

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Sequential
from minidl.Modules import Activation, BatchNorm, Dropout, Flatten, Identity, Linear, ModuleError
from tests.Gradients import checkGradients


def onDevice(array):
    return gpuarray.to_gpu(np.asarray(array, np.float32))


def mlp(name="net"):
    net = Sequential(name).append(Linear(5, 4, name="first")).append(Activation("tanh", name="act"))
    return net.append(Linear(4, 3, name="last"))


def names(net):
    return [mod.name for mod in net]


def test_modules_follow_each_other(rng):
    net, x, g = mlp(), rng.standard_normal((7, 5)), rng.standard_normal((7, 3))

    y = net(onDevice(x)).get()
    net.zeroGradParams()
    net.backward(onDevice(g))

    first, last = net["first"].W.get(), net["last"].W.get()
    hidden = np.tanh(x @ first)
    back = (g @ last.T) * (1 - hidden ** 2)
    np.testing.assert_allclose(y, hidden @ last, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.grad.get(), back @ first.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net.getVar("first.W").grad.get(), x.T @ back, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net.getVar("last.b").grad.get(), g.sum(0), rtol=1e-4, atol=1e-5)
    assert net.data is net["last"].data and net.dataShapeFrom((7, 5)) == (7, 3)
    assert net.gradShapeFrom((7, 3)) == (7, 5)


@pytest.mark.parametrize("train", [True, False])
def test_gradients_of_a_deep_net(train, rng):
    inner = Sequential("inner").append(Linear(6, 5)).append(BatchNorm(5)).append(Dropout(0.3))
    net = Sequential("net").append(Flatten()).append(inner).append(Activation("elu"))
    net.append(Linear(5, 2)).append(Activation("sigmoid"))
    net.trainMode() if train else net.evalMode()

    checkGradients(net, rng.standard_normal((7, 2, 3)), rng)


def test_parameter_gradients_are_added_up_from_call_to_call(rng):
    net, x, g = mlp(), onDevice(rng.standard_normal((7, 5))), onDevice(rng.standard_normal((7, 3)))
    net(x)
    net.zeroGradParams()
    net.backward(g)
    once = net.getVar("first.W").grad.get()

    net.backward(g)
    np.testing.assert_allclose(net.getVar("first.W").grad.get(), 2 * once, rtol=1e-5, atol=1e-6)

    net.backward(g, momentum=0.0)
    assert np.array_equal(net.getVar("first.W").grad.get(), once)


def test_a_shared_variable_gets_the_gradients_of_both_modules(rng):
    first, second = Linear(3, 3, useBias=False), Linear(3, 3, useBias=False, empty=True)
    second.setVar("W", first.getVar("W"))
    net = Sequential().append(first).append(Activation("tanh")).append(second)

    x, g = rng.standard_normal((2, 4, 3))
    net(onDevice(x))
    net.zeroGradParams()
    net.backward(onDevice(g))

    W = first.W.get()
    hidden = np.tanh(x @ W)
    expected = hidden.T @ g + x.T @ ((g @ W.T) * (1 - hidden ** 2))
    np.testing.assert_allclose(first.getVar("W").grad.get(), expected, rtol=1e-4, atol=1e-5)


def test_without_updGrad_only_what_parameters_need_is_computed(rng):
    net = Sequential().append(Identity()).append(Linear(5, 4)).append(Activation("relu"))
    x, g = onDevice(rng.standard_normal((7, 5))), onDevice(rng.standard_normal((7, 4)))
    net(x)
    net.backward(g, momentum=0.0)
    expected = net["1"].getVar("W").grad.get()

    net(x)
    net[0].grad = net[1].grad = None
    net.backward(g, updGrad=False, momentum=0.0)

    assert net.grad is net[0].grad is net[1].grad is None
    assert np.array_equal(net["1"].getVar("W").grad.get(), expected)


def test_without_updParamGrads_parameter_gradients_stay(rng):
    net = mlp()
    net(onDevice(rng.standard_normal((7, 5))))

    net.backward(onDevice(rng.standard_normal((7, 3))), updParamGrads=False)

    assert all((var.grad.get() == 0).all() for var in net.getVarTable())
    assert net.grad.shape == (7, 5)


def test_an_empty_net_passes_data_and_gradient():
    net, data = Sequential(), onDevice([[1, 2]])

    assert net(data) is data
    net.backward(data)
    assert net.grad is data
    assert net.dataShapeFrom((1, 2)) == net.gradShapeFrom((1, 2)) == (1, 2)


def test_slices_share_their_modules(rng):
    net, x = mlp(), onDevice(rng.standard_normal((7, 5)))
    y = net(x).get()

    assert np.array_equal(net[1:](net[:1](x)).get(), y)
    assert net[0] is net["first"] is net[:1][0] is net.getByIndex(0)
    assert names(net[::2]) == ["first", "last"] and names(net) == ["first", "act", "last"]
    assert len(net) == 3 and net[-1] is net["last"]


def test_insert_pop_and_remove():
    net = mlp()

    net.insert(Identity("a"), 0).insertAfter(Identity("b"), "act")
    assert names(net) == ["a", "first", "act", "b", "last"]
    assert net.pop().name == "last"
    assert net.removeModule(net["first"]).name == "first"
    assert names(net) == ["a", "act", "b"] and set(net.modules) == {"a", "act", "b"}
    assert net.getModuleIndex("b") == 2


def test_extend_takes_lists_and_nets():
    other = Sequential().append(Identity("c"))

    net = Sequential().extend([Identity("a"), Identity("b")]).extend(other)

    assert names(net) == ["a", "b", "c"]


def test_modules_without_a_name_get_numbers():
    net = Sequential().extend([Identity(), Identity("1"), Identity(), Identity()])

    assert names(net) == ["0", "1", "2", "3"]


def test_a_number_that_is_taken_is_passed_over():
    net = Sequential().append(Identity("1")).append(Identity())

    assert names(net) == ["1", "2"] and len(net.modules) == 2


def test_a_name_that_is_taken_is_refused():
    net, other = mlp(), Linear(3, 3, name="act")

    with pytest.raises(ContainerError, match="'net': there is a module named act already"):
        net.append(other)

    assert names(net) == ["first", "act", "last"] and net["act"] is net[1] is not other


def test_a_module_stands_in_a_net_once():
    net, inner = mlp(), mlp("inner")
    net.append(inner)
    around = Sequential("around").append(net)

    for build in (lambda: net.append(net["act"]), lambda: net.append(net),
                  lambda: net.append(Sequential().append(inner["act"])),
                  lambda: inner.append(around)):
        with pytest.raises(ContainerError, match="would stand in it twice, and forget what its"):
            build()

    assert names(net) == ["first", "act", "last", "inner"] and names(inner) == names(mlp())


def test_a_module_may_stand_in_two_nets(rng):
    net, x = mlp(), onDevice(rng.standard_normal((7, 5)))
    other = Sequential("other").append(Identity()).append(net["first"])

    assert np.array_equal(other(x).get(), net["first"](x).get())
    assert names(other) == ["0", "first"] and other[1] is net[0]


def test_extend_takes_all_or_none():
    net = mlp()
    with pytest.raises(ContainerError, match="there is a module named act already"):
        net.extend([Identity("a"), Identity("b"), Identity("act")])

    assert names(net) == list(net.modules) == names(mlp())


@pytest.mark.parametrize("thing", ["linear", None, Linear, mlp().graph])
def test_only_modules_are_taken(thing):
    with pytest.raises(ContainerError, match="Sequential 'net': takes modules, got"):
        Sequential("net").append(thing)


@pytest.mark.parametrize("index", [3, -4, 99])
def test_an_index_that_is_not_there_is_told(index):
    with pytest.raises(ContainerError, match=f"'net': has 3 modules, got index {index}"):
        mlp()[index]


@pytest.mark.parametrize("acquire", [True, False])
def test_no_module_is_given_another_name_than_it_has(acquire):
    net = Sequential().append(Identity("a"), acquire).append(Identity(), acquire=acquire)
    other = Sequential().extend(net, acquire=acquire)

    assert names(net) == names(other) == ["a", "1"] and other.graph == net.graph
    with pytest.raises(ContainerError, match="there is a module named a already"):
        net.append(Identity("a"), acquire=acquire)


@pytest.mark.parametrize("name", ["", "a/b", "/"])
def test_a_name_that_files_cannot_have_is_refused(name):
    with pytest.raises(ContainerError, match="must not be empty or have a slash"):
        Sequential().append(Identity(name))


@pytest.mark.parametrize("key", ["nothing", "0"])
def test_a_name_that_is_not_there_is_told_with_those_that_are(key):
    with pytest.raises(ContainerError, match=f"there is no module {key}, only first, act, last"):
        mlp()[key]


def test_nothing_can_be_popped_from_an_empty_net():
    with pytest.raises(ContainerError, match="Sequential 'net': has no module to pop"):
        Sequential("net").pop()


def inPlace(**kwargs):
    return Activation("relu", inplace=True, name="over", **kwargs)


def needed():
    return Activation("sigmoid", name="needed")


spoiled = {
    "behind": lambda: Sequential().append(needed()).append(inPlace()),
    "behind what passes": lambda: Sequential().extend([needed(), Flatten(), Dropout(), inPlace()]),
    "behind a net": lambda: Sequential().append(Sequential().append(needed())).append(inPlace()),
    "in a net": lambda: Sequential().append(needed()).append(Sequential().append(inPlace())),
    "inserted before": lambda: Sequential().append(inPlace()).insert(needed(), 0),
}


@pytest.mark.parametrize("build", spoiled.values(), ids=spoiled)
def test_refuses_to_overwrite_an_output_that_a_gradient_needs(build):
    with pytest.raises(ContainerError, match="'over' would overwrite the output of .*'needed'"):
        build()


def test_refuses_to_remove_what_keeps_an_output_from_being_overwritten():
    net = Sequential().extend([needed(), Linear(3, 3, name="between"), inPlace()])

    with pytest.raises(ContainerError, match="'over' would overwrite the output of .*'needed'"):
        net.removeModule(net["between"])

    assert names(net) == ["needed", "between", "over"] == list(net.modules)


def test_takes_an_in_place_module_where_it_spoils_nothing(rng):
    net = Sequential().append(Linear(3, 4)).append(inPlace()).append(Linear(4, 2)).append(
        Activation("relu", inplace=True))

    plain = Sequential().append(net[0]).append(Activation("relu", name="plain")).append(net[2])
    plain.append(Activation("relu", name="plain2"))
    x, g = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    results = []
    for each in (net, plain):
        y = each(onDevice(x)).get()
        each.backward(onDevice(g), momentum=0.0)
        results.append([y, each.grad.get(), each.getVar("0.W").grad.get()])

    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))


def test_the_check_of_in_place_modules_can_be_put_off(monkeypatch):
    monkeypatch.setattr(Config, "disableModuleCompatChecks", True)

    assert len(Sequential().append(needed()).append(inPlace())) == 2


def test_an_error_tells_place_and_name(rng):
    inner = Sequential("inner").append(Identity()).append(Linear(4, 3, name="lin"))
    net = Sequential("net").append(Linear(5, 6, name="first")).append(inner)

    with pytest.raises(ContainerError) as caught:
        net(onDevice(rng.standard_normal((2, 5))))

    assert isinstance(caught.value, ModuleError)
    assert str(caught.value) == (
        "Sequential 'net': module 1: Sequential 'inner': module 1: "
        "Linear 'lin': data must have shape (batch, 4), got (2, 6)")


def test_a_net_that_refused_a_batch_takes_the_next(rng):
    net, x = mlp(), rng.standard_normal((7, 5))
    expected = net(onDevice(x)).get()

    with pytest.raises(ContainerError):
        net(onDevice(rng.standard_normal((7, 6))))
    with pytest.raises(ContainerError):
        net(gpuarray.to_gpu(x))
    with pytest.raises(ContainerError, match="must be an array on the device"):
        net(x)

    assert np.array_equal(net(onDevice(x)).get(), expected)


@pytest.mark.parametrize("forget", ["reset", "trainMode", "evalMode"])
def test_backward_needs_a_call_first(forget):
    net = mlp()
    grad = net(onDevice(np.ones((7, 5)))).copy()
    getattr(net, forget)()

    with pytest.raises(ContainerError, match="Sequential 'net': backward needs a call with data"):
        net.backward(grad)


def test_a_gradient_that_does_not_fit_tells_its_module():
    net = mlp()
    net(onDevice(np.ones((7, 5))))

    with pytest.raises(ContainerError, match="'net': module 2: Linear 'last': grad must have"):
        net.backward(onDevice(np.ones((7, 4))))


def test_blueprint_has_the_modules_in_their_order():
    blueprint = json.loads(json.dumps(mlp().getBlueprint()))

    assert blueprint["classname"] == "Sequential" and blueprint["scheme"] == {"name": "net"}
    assert blueprint["graph"] == ["first", "act", "last"]
    assert blueprint["modules"]["act"]["scheme"]["activation"] == "tanh"


def test_repr_lists_the_modules():
    lines = repr(Sequential("net").append(mlp("inner"))).splitlines()

    assert lines[0] == "Sequential 'net'" and lines[1] == "  Sequential 'inner'"
    assert lines[2].startswith("    Linear 'first' (insize=5, outsize=4")
