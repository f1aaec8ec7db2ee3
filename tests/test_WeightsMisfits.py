"""What a whole file has too much, too little or otherwise: told at once, or left out on request."""

import numpy as np
import pytest

from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Linear, ModuleError
from tests.Case import stateOf
from tests.HostileFiles import W, cases, link, makeSecrets, put, remove, var, zeros
from tests.WeightFiles import changed, make

bias, mean = "params/1", "attrs/net.bn.mean"
longName = "x" * 300

# what is done to the file, and the message behind "cannot load net.hdf: "
golden = {
    "missing": ([remove(link), remove(W)], "links/net.lin.W is missing"),
    "several missing": (
        [remove(link), remove(W), remove(var)],
        "links/net.lin.W is missing; attrs/net.bn.var is missing"),
    "unexpected": (
        [put("links/net.new.W", np.int64(0))], "links/net.new.W is not in this module"),
    "several unexpected": (
        [put("params/9", zeros), put("attrs/net.new.mean", 1.0)],
        "params/9 is not in this module; attrs/net.new.mean is not in this module"),
    "shape": (
        [put(W, zeros.T)],
        "params/0 (net.lin.W) must have shape (5, 4), the file has (4, 5)"),
    "dtype": (
        [put(W, zeros.astype(np.float64))],
        "params/0 (net.lin.W) must have dtype float32, the file has float64"),
    "statistics": (
        [put(var, np.ones(4, np.float32)), put(mean, np.ones((1, 4, 1, 1)))],
        "attrs/net.bn.mean must have dtype float32, the file has float64; attrs/net.bn.var must "
        "have shape (1, 4, 1, 1), the file has (4,)"),
    "one of each": (
        [remove("links/net.bn.bias"), put("links/net.new.W", np.int64(3)), put(W, zeros.T),
         put(bias, np.zeros(4))],
        "links/net.bn.bias is missing; links/net.new.W is not in this module; params/0 "
        "(net.lin.W) must have shape (5, 4), the file has (4, 5); params/1 (net.lin.b) must have "
        "dtype float32, the file has float64"),
    "damage and misfits": (
        [remove(W), put(bias, np.zeros(3, np.float32))],
        "params/0 (net.lin.W) is missing; params/1 (net.lin.b) must have shape (4,), the file has "
        "(3,)"),
    "another name": (
        [remove("links"), remove("params"), remove("attrs"), put("links/other.lin.W", np.int64(0))],
        "links/net.lin.W is missing; links/net.lin.b is missing; links/net.bn.scale is missing; "
        "links/net.bn.bias is missing; links/other.lin.W is not in this module; "
        "attrs/net.bn.numOfProps is missing; attrs/net.bn.mean is missing; attrs/net.bn.var is "
        "missing"),
    "long names": (
        [put(f"links/{longName}.W", np.int64(0))],
        f"links/{'x' * 92}...{'x' * 97}.W is not in this module"),
    "what cannot be printed": (
        [put("links/a\n\x1b[2J", np.int64(0))], "links/a??[2J is not in this module"),
}


def spoiled(*changes):
    return changed(lambda file: [change(file, None) for change in changes])


@pytest.mark.parametrize("changes, words", golden.values(), ids=golden)
def test_all_is_told_at_once(changes, words, tmp_path, monkeypatch):
    (tmp_path / "net.hdf").write_bytes(spoiled(*changes))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModuleError) as caught:
        make(seed=1).load("net.hdf")

    assert str(caught.value) == f"Sequential 'net': cannot load net.hdf: {words}"
    assert len(str(caught.value)) <= 1000


def test_of_very_many_it_tells_how_many_more(tmp_path):
    name = "long" * 75
    net = Sequential(name).extend(Linear(2, 2, name=f"{i}{name}") for i in range(30))
    path = tmp_path / ("deep" * 30) / ("folder" * 30) / "net.hdf"
    Sequential(name).save(path)

    with pytest.raises(ModuleError, match=" is missing and 5[0-9] more$") as caught:
        net.load(path)
    assert 700 < len(str(caught.value)) <= 1000


def test_what_fits_is_loaded_and_the_rest_is_told():
    net, source = make(seed=1), make()
    before = stateOf(net)

    left = net.load(spoiled(put(W, zeros.T), remove(mean), put("links/net.new.W", np.int64(0))),
                    strict=False)

    assert left == {
        "net.lin.W": "params/0 (net.lin.W) must have shape (5, 4), the file has (4, 5)",
        "net.bn.mean": "attrs/net.bn.mean is missing",
        "links/net.new.W": "links/net.new.W is not in this module"}
    wanted = {**stateOf(source), **{key: before[key] for key in before if key.endswith(".grad")},
              ".lin.W": before[".lin.W"], ".bn.mean": before[".bn.mean"]}
    assert stateOf(net) == wanted and net.getAttr("epoch") == 0


def test_a_file_that_fits_leaves_nothing():
    net = make(seed=1)

    assert net.load(make().save(), strict=False) == {}
    assert stateOf(net) == stateOf(make())
    assert net.load(make().save()) is None


def test_the_body_of_a_net_goes_to_another_with_a_new_head():
    def build(classes):
        return Sequential("net").append(Linear(6, 5, name="body")).append(BatchNorm(5, name="bn")) \
            .append(Linear(5, classes, name="head"))

    old, new = build(10), build(3)
    head = new["head"].W.get()

    assert sorted(new.load(old.save(), strict=False)) == ["net.head.W", "net.head.b"]
    np.testing.assert_array_equal(new["body"].W.get(), old["body"].W.get())
    np.testing.assert_array_equal(new["head"].W.get(), head)


def test_a_file_of_something_else_changes_nothing():
    net = make(seed=1)
    before = stateOf(net)

    left = net.load(Sequential("other").append(Linear(2, 2, name="lin")).save(), strict=False)

    assert {"net.lin.W", "net.bn.var", "links/other.lin.W"} <= left.keys()
    assert stateOf(net) == before


damages = ["soft link", "external link", "external storage", "virtual dataset", "some chunks",
           "chunk of noise", "bomb", "checksum filter", "negative variance", "param too few",
           "dataset for params", "soft group of params", "text that is none"]


@pytest.mark.parametrize("name", damages)
def test_damage_is_refused_even_so(name, tmp_path):
    makeSecrets(tmp_path)
    net = make(seed=1)
    before = stateOf(net)

    with pytest.raises(ModuleError, match="cannot load"):
        net.load(changed(lambda file: cases[name](file, tmp_path)), strict=False)
    assert stateOf(net) == before

    with pytest.raises(ModuleError, match="it is not what was sealed"):
        net.load(make().save()[:-1], strict=False)
    assert stateOf(net) == before
