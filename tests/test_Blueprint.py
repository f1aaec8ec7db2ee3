"""Nets are built from their files, those of PuzzleLib's layout too."""

import io
import json

import h5py
import numpy as np
import pytest

from minidl import Blueprint, Config
from minidl.Backend import gpuarray
from minidl.Blueprint import BlueprintError, BlueprintFactory
from minidl.Containers import Graph, Parallel, Sequential
from minidl.GuardedFile import WeightsError
from minidl.Models.Nets import loadBatchNormCnn, loadLeNet, loadNiNImageNet, loadResNet, loadVGG
from minidl.Modules import (
    LCN,
    Activation,
    Add,
    BatchNorm,
    BatchNorm2D,
    BatchNormAxes,
    BatchNormND,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvND,
    Deconv2D,
    DepthConcat,
    Dropout,
    GroupNorm,
    Identity,
    InstanceNorm2D,
    LayerNorm,
    Linear,
    MaxPool2D,
    MaxUnpool2D,
    Replicate,
    SpatialTf,
    SubtractMean,
)
from minidl.Passes import batchNorm, foldBatchNorm, toGraph
from tests.Case import Case, stateOf
from tests.Cases import cases
from tests.WeightFiles import changed


class Ramp:
    """A function of first values; its name is the same in every process."""

    def __call__(self, shape):
        return np.arange(np.prod(shape)).reshape(shape) + 0.5

    def __repr__(self):
        return "ramp"


others = [  # of modules that cases do not have
    Case(ConvND, 2, 3, 4, 3, shape=(2, 3, 5, 5)), Case(Conv1D, 3, 4, 3, shape=(2, 3, 5)),
    Case(Conv2D, 3, 6, [3, 2], shape=(2, 3, 5, 5), groups=3, pad=[1, 0]),
    Case(Conv3D, 3, 4, 3, shape=(2, 3, 5, 5, 4)), Case(GroupNorm, 2, 4, shape=(3, 4, 5)),
    Case(InstanceNorm2D, 3, shape=(2, 3, 5, 5)), Case(LayerNorm, (3, 5), shape=(2, 3, 5)),
    Case(Linear, 5, 4, shape=(3, 5), initscheme=("he", "out")),
    Case(BatchNormND, 1, 3, shape=(2, 3, 5), learnScale=False, scaleInit=[1.0, 2.0, 3.0]),
    Case(BatchNormND, 1, 3, shape=(2, 3, 5), learnScale=False, biasInit=Ramp(),
         scaleInit=Ramp()),
    Case(BatchNormAxes, (None, 3, 4), 0, shape=(2, 3, 4), learnScale=False,
         scaleInit=Ramp()),
]


@pytest.mark.parametrize("case", cases + others, ids=repr)
def test_every_module_comes_back(case, rng):
    module, data = case.make(rng), gpuarray.to_gpu(case.data(rng))

    again = Blueprint.load(module.save(withBlueprint=True))

    assert type(again) is case.kind and again.name == "probe"
    assert {name: bits for name, bits in stateOf(again).items() if ".grad" not in name} == {
        name: bits for name, bits in stateOf(module).items() if ".grad" not in name}
    for train in (True, False):
        results = []
        for each in (module, again):
            each.trainMode() if train else each.evalMode()
            gpuarray.globalRng.seed(0)
            results.append(each(data if not case.inplace else data.copy()).get())
        assert np.array_equal(*results, equal_nan=True)


def test_modules_that_take_lists_come_back(rng):
    for module in (Add("a"), DepthConcat("d"), Replicate(3, "r"), SpatialTf((3, 4, 5), "s"),
                   LCN(3, name="l"), SubtractMean(3, name="m")):
        again = BlueprintFactory().build(json.loads(json.dumps(module.getBlueprint())))
        assert type(again) is type(module) and again.getBlueprint() == module.getBlueprint()


def linear(name=None, **kwargs):
    return Linear(5, 5, name=name, **kwargs)


def nested():
    inner = Sequential("inner").append(linear()).append(BatchNorm(5)).append(Activation("elu"))
    ways = Parallel().append(inner).append(Sequential().append(Identity()).append(linear("lin")))
    net = Sequential("net").append(linear("lin", initscheme="he")).append(Replicate(2))
    return net.append(ways).append(Add("sum")).append(Dropout(0.3))


def graph(name="net", names=True):
    make = lambda word, kind, *args: kind(*args, name=word if names else None)
    x, y = make("x", Linear, 5, 5).node(), make("y", Linear, 5, 5).node()
    h = make("h", Activation, "tanh").node(x)
    inner = toGraph(nested()).node(h)
    return Graph([x, y], [Add().node(inner, y, h), make("last", BatchNorm, 5).node(h)], name=name)


def folded():
    net = Sequential("net").append(linear("a")).append(BatchNorm(5, name="bn"))
    batchNorm(net.append(Sequential("s").append(linear("b")))["s"])
    return foldBatchNorm(net)


nets = {
    "nested": nested, "graph": graph, "graph without names": lambda: graph(names=False),
    "no name": lambda: graph(None), "flat graph": lambda: toGraph(nested()), "folded": folded,
    "empty": lambda: Sequential("net"),
    "graph in a row": lambda: Sequential("net").append(linear()).append(toGraph(nested())),
}


def outputs(net, rng):
    net.evalMode()
    arrays = [gpuarray.to_gpu(each) for each in rng.standard_normal((2, 7, 5)).astype(np.float32)]
    found = net(arrays if isinstance(net, Graph) and len(net.inputs) > 1 else arrays[0])
    return [each.get() for each in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("build", nets.values(), ids=nets)
@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_nets_come_back(build, form, rng, tmp_path):
    net = build()
    net.setAttr("epoch", 7)
    image = net.save(withBlueprint=True)
    (tmp_path / "net.hdf").write_bytes(image)

    if form == "file":
        with h5py.File(io.BytesIO(image)) as file:
            again = Blueprint.load(file)
    else:
        again = Blueprint.load(image if form == "bytes" else tmp_path / "net.hdf")

    kinds = [[(path, type(mod)) for path, mod in each.namedModules(each.name)]
             for each in (net, again)]
    assert sorted(kinds[0], key=str) == sorted(kinds[1], key=str)
    assert again.getAttr("epoch") == 7
    for one, two in zip(outputs(net, np.random.default_rng(0)),
                        outputs(again, np.random.default_rng(0)), strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("build", nets.values(), ids=nets)
def test_a_blueprint_of_what_was_built_is_the_same(build):
    once = BlueprintFactory().build(build().getBlueprint())
    twice = BlueprintFactory().build(once.getBlueprint())

    assert once.getBlueprint() == twice.getBlueprint()
    assert once.numOfParams() == build().numOfParams()
    schemes = [mod.blueprint["scheme"] for mod in once.getAllByType(Linear)]
    assert all(scheme["initscheme"] == "none" for scheme in schemes)


@pytest.mark.parametrize("name", ["other", "a.b", "ключ"])
def test_a_file_under_another_name(name, rng):
    net = nested()

    again = Blueprint.load(net.save(name=name, withBlueprint=True), name=name)

    assert again.name == "net" and np.array_equal(
        again.getVar("lin.W").data.get(), net.getVar("lin.W").data.get())
    with pytest.raises(WeightsError, match="net.lin.W is missing"):
        Blueprint.load(net.save(name=name, withBlueprint=True))


def test_short_names():
    net = loadResNet(None, "18", initscheme="he", imageSize=32)

    again = Blueprint.load(net.save(withBlueprint=True, assumeUniqueNames=True),
                           assumeUniqueNames=True)

    assert np.array_equal(again.getByName("fc1000").W.get(), net.getByName("fc1000").W.get())


@pytest.mark.parametrize("build", [
    lambda: loadLeNet(None), lambda: loadBatchNormCnn(None), lambda: loadVGG(None, "11"),
    lambda: loadNiNImageNet(None), lambda: toGraph(loadResNet(None, "50", imageSize=32))])
def test_networks_that_are_known_by_name(build):
    net = build()

    again = BlueprintFactory().build(json.loads(json.dumps(net.getBlueprint())))

    assert {tuple(names): var.data.shape for var, names in again.getVarTable().items()} == {
        tuple(names): var.data.shape for var, names in net.getVarTable().items()}


def tied():
    there = linear("there")
    back = Linear(5, 5, name="back", empty=True, transpose=True, useBias=False)
    more = Linear(5, 5, name="more", empty=True)
    back.setVar("W", there.getVar("W"))
    more.setVar("W", there.getVar("W"))
    more.setVar("b", linear().getVar("b"))
    inner = Sequential("inner").append(Activation("tanh")).append(back)
    return Sequential("net").append(there).append(inner).append(more)


@pytest.mark.parametrize("short", [False, True])
def test_shared_variables_stay_shared(short):
    net = tied()

    again = Blueprint.load(net.save(withBlueprint=True, assumeUniqueNames=short),
                           assumeUniqueNames=short)

    assert list(again.getVarTable().values()) == list(net.getVarTable().values())
    assert again["inner"]["back"].W is again["there"].W is again["more"].W
    assert again["more"].b is not again["there"].b and again["inner"]["back"].b is None
    assert again.getBlueprint()["modules"]["more"]["scheme"]["empty"] is True
    assert list(Blueprint.load(again.save(withBlueprint=True)).getVarTable().values()) == list(
        net.getVarTable().values())


def test_equal_modules_that_share_need_not_be_made_empty():
    net = Sequential("net").append(linear("a")).append(linear("b"))
    net["b"].setVar("W", net["a"].getVar("W"))

    again = Blueprint.load(net.save(withBlueprint=True))

    assert again["a"].W is again["b"].W and again["a"].b is not again["b"].b


def test_many_that_share_take_the_room_of_one():
    shared = Linear(1500, 1500, name="0")
    net = Sequential("net").append(shared)
    for _ in range(20):
        net.append(Linear(1500, 1500, empty=True))
        for name in ("W", "b"):
            net[-1].setVar(name, shared.getVar(name))

    assert len(Blueprint.load(net.save(withBlueprint=True)).getVarTable()) == 2


def test_an_empty_normalization_comes_back(rng):
    norm = BatchNorm(3, name="bn", empty=True)
    full = BatchNorm(3, sscale=0.5)
    for name in ("scale", "bias"):
        norm.setVar(name, full.getVar(name))
    norm.setAttr("mean", full.mean)
    norm.setAttr("var", full.var)

    again = Blueprint.load(norm.save(withBlueprint=True))

    assert np.array_equal(again.scale.get(), full.scale.get()) and again.hasAttr("mean")


def test_without_a_file_what_was_made_empty_is_empty():
    net = BlueprintFactory().build(tied().getBlueprint())

    assert net["more"].W is None and net.numOfParams() == 30


def test_an_own_generator_becomes_the_global_one():
    module = Dropout(0.5, rng=gpuarray.globalRng, name="drop")

    assert BlueprintFactory().build(module.getBlueprint()).rng is gpuarray.globalRng


def test_what_needs_another_module_is_refused():
    pool = MaxPool2D(name="pool")
    net = Sequential("net").append(pool).append(MaxUnpool2D(pool, name="unpool"))

    with pytest.raises(BlueprintError, match="'net.unpool': MaxUnpool2D cannot be built: .*maxp"):
        BlueprintFactory().build(net.getBlueprint())


def test_a_file_without_a_blueprint_is_told():
    with pytest.raises(BlueprintError, match="cannot load .* bytes: blueprint is missing"):
        Blueprint.load(linear("lin").save())


def test_weights_that_do_not_fit_are_told():
    image = changed(lambda file: file.__delitem__("links/net.lin.W"),
                    nested().save(withBlueprint=True))

    with pytest.raises(WeightsError, match="links/net.lin.W is missing"):
        Blueprint.load(image)


def test_a_net_of_another_dtype_is_built_and_loaded_by_hand():
    net = nested()
    net.calcMode(np.float64)
    image = net.save(withBlueprint=True)

    with pytest.raises(WeightsError, match="must have dtype float32, the file has float64"):
        Blueprint.load(image)

    again = BlueprintFactory().build(net.getBlueprint())
    again.calcMode(np.float64)
    again.load(image)
    assert np.array_equal(again["lin"].W.get(), net["lin"].W.get())


def test_each_module_is_logged_if_wanted(monkeypatch):
    lines = []
    monkeypatch.setattr(Config.getLogger(), "info", lambda text, *args: lines.append(text % args))

    BlueprintFactory().build(Sequential("net").append(linear("a")).getBlueprint(), log=True)
    BlueprintFactory().build(linear("a").getBlueprint())

    assert lines == ["built Linear 'a'", "built Sequential 'net'"]


# As PuzzleLib 1.0.2 writes them

def scheme(**args):
    return {"name": None, **args}


def conv(inmaps, outmaps, size, name=None, **args):
    return {"classname": "Conv2D", "scheme": scheme(
        inmaps=inmaps, outmaps=outmaps, size=size, stride=1, pad=0, dilation=1, wscale=1.0,
        useBias=True, initscheme="xavier", empty=False, groups=1, name=name, **args)}


def puzzle(classname, name=None, **args):
    return {"classname": classname, "scheme": scheme(name=name, **args)}


def row(name, **modules):
    return {"classname": "Sequential", "scheme": scheme(name=name), "modules": modules,
            "graph": list(modules)}


def puzzleNet():
    norm = dict(epsilon=1e-5, initFactor=1.0, minFactor=0.1, sscale=0.01, affine=True, empty=False,
                inplace=False)
    pool = dict(size=2, stride=2, pad=0)
    features = row("features", **{
        "0": conv(1, 4, 3), "1": puzzle("BatchNorm2D", maps=4, **norm),
        "2": puzzle("Activation", activation="relu", slc=None, inplace=False, args=[]),
        "3": puzzle("MaxPool2D", useMask=False, **pool),
        "drop": puzzle("Dropout", "drop", p=0.5, rng=None, slicing=None, inplace=False)})
    return row("net", features=features, flat=puzzle("Flatten", "flat"), lin=puzzle(
        "Linear", "lin", insize=4 * 3 * 3, outsize=3, wscale=1.0, useBias=True, initscheme=None,
        empty=False, transpose=False), bn=puzzle("BatchNorm", size=3, **norm),
        end=puzzle("SoftMax"))


def test_puzzlelibs_blueprints_are_built(rng):
    image = io.BytesIO()
    expected = BlueprintFactory().build(puzzleNet())
    with h5py.File(image, "w", libver="earliest") as file:
        # Its files have no count of batches, and texts as h5py writes them.
        params = file.create_group("params")
        for i, (var, names) in enumerate(expected.getVarTable().items()):
            value = rng.standard_normal(var.data.shape).astype(np.float32)
            var.data.set(value)
            params.create_dataset(str(i), data=value, compression="gzip")
            file[f"links/{names[0]}"] = i
        for path in ("net.features.1", "net.bn"):
            maps = 4 if "features" in path else 3
            file[f"attrs/{path}.mean"] = np.zeros((1, maps, 1, 1), np.float32)
            file[f"attrs/{path}.var"] = np.ones((1, maps, 1, 1), np.float32)
        for path in ("net", "net.features"):
            file.create_group(f"attrs.{path}")
        file["blueprint"] = json.dumps(puzzleNet(), indent=4, sort_keys=True)

    net = Blueprint.load(image.getvalue())

    data = gpuarray.to_gpu(rng.standard_normal((2, 1, 8, 8)).astype(np.float32))
    assert [mod.name for mod in net] == ["features", "flat", "lin", "bn", "end"]
    assert isinstance(net["features"][1], BatchNorm2D)
    assert net["features"][0].W.shape == (4, 1, 3, 3)
    net.evalMode()
    expected.evalMode()
    np.testing.assert_allclose(net(data).get(), expected(data).get(), 1e-6)


def test_puzzlelibs_graphs_are_built(rng):
    blueprint = {
        "classname": "Graph", "scheme": scheme(name="graph"), "inputs": ["conv"],
        "outputs": ["join"],
        "modules": {"conv": conv(1, 2, 1, "conv"), "join": puzzle("DepthConcat", "join"),
                    "up": conv(2, 3, 1, "up"), "relu": puzzle(
                        "Activation", "relu", activation="relu", slc=None, inplace=False, args=[])},
        "graph": {"conv": [], "join": [["relu", None], ["conv", None]], "relu": [["up", None]],
                  "up": [["conv", None]]}}

    net = BlueprintFactory().build(blueprint)

    assert net.dataShapeFrom((2, 1, 4, 4)) == (2, 5, 4, 4) and net.name == "graph"


def test_deconvolutions_have_their_groups():
    module = Deconv2D(4, 6, 3, stride=2, groups=2, postpad=1)
    again = BlueprintFactory().build(module.getBlueprint())

    assert again.W.shape == (4, 3, 3, 3) and again.postpad == (1, 1)
