"""Blueprints that would do harm are refused: nothing is imported, and little memory is taken."""

import copy
import json
import sys
import tracemalloc

import h5py
import numpy as np
import pytest

from minidl import Blueprint
from minidl.Blueprint import BlueprintError, BlueprintFactory, deepest, mostLetters, parsed
from minidl.Containers import Graph, Sequential
from minidl.Modules import Activation, BatchNorm, Conv2D, Flatten, Linear
from tests import WeightFiles


def good():
    net = Sequential("net").append(Conv2D(1, 2, 3, name="conv")).append(BatchNorm(2, name="bn"))
    net.append(Flatten("flat")).append(Linear(8, 5, name="lin"))
    x = Linear(5, 3, name="x").node()
    return net.append(Graph(x, Activation("relu", name="relu").node(x), name="graph"))


def changed(*path, to=None):
    """The text of the good blueprint with another value at the end of a path."""
    blueprint = copy.deepcopy(good().getBlueprint())
    at = blueprint
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return json.dumps(blueprint)


def argument(name, word, value):
    return changed("modules", name, "scheme", word, to=value)


def named(classname):
    return changed("modules", "flat", "classname", to=classname)


def alone(classname, **scheme):
    return json.dumps({"classname": classname, "scheme": scheme})


def tower(height):
    inner = {"classname": "Flatten", "scheme": {"name": "flat"}}
    for _ in range(height):
        inner = {"classname": "Sequential", "scheme": {"name": None}, "modules": {"0": inner},
                 "graph": ["0"]}
    return json.dumps(inner)


def without(*path):
    blueprint = copy.deepcopy(good().getBlueprint())
    at = blueprint
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return json.dumps(blueprint)


def graphOf(value):
    return changed("modules", "graph", "graph", to=value)


huge = 2 ** 31 - 1
hostile = {
    "nothing": ("", "is no json"),
    "no json": ("net = Sequential()", "is no json"),
    "cut short": (changed("graph", to=[])[:-20], "is no json"),
    "a number": ("7", "must be an object with a text classname"),
    "a list": ("[]", "must be an object with a text classname"),
    "null": ("null", "must be an object with a text classname"),
    "code as class": (named("os.system"), "has no known class, got 'os.system'"),
    "path as class": (named("../../evil"), "has no known class"),
    "import as class": (named("__import__('os').system('id')"), "has no known class"),
    "dunder as class": (named("__class__"), "has no known class"),
    "file of modules as class": (named("InitScheme"), "has no known class, got 'InitScheme'"),
    "function as class": (named("relu"), "has no known class"),
    "base as class": (named("Module"), "has no known class"),
    "abstract container as class": (named("Container"), "has no known class"),
    "number as class": (named(7), "must be an object with a text classname"),
    "list as class": (named(["Linear"]), "must be an object with a text classname"),
    "list as scheme": (changed("modules", "flat", "scheme", to=[1]), "and an object scheme"),
    "no scheme": (without("modules", "flat", "scheme"), "and an object scheme"),
    "dunder as argument": (argument("lin", "__class__", 1), "is no argument of it"),
    "self as argument": (argument("lin", "self", 1), "is no argument of it"),
    "options as argument": (argument("bn", "options", {}), "is no argument of it"),
    "generator": (argument("flat", "rng", "x"), "is no argument of it"),
    "another's argument": (argument("lin", "activation", "relu"), "is no argument of it"),
    "argument missing": (without("modules", "lin", "scheme", "insize"), "missing a required"),
    "word for a number": (argument("lin", "insize", "os.system"), "a whole number from 1 to"),
    "fraction": (argument("lin", "insize", 8.5), "a whole number from 1 to"),
    "truth for a number": (argument("lin", "insize", True), "a whole number from 1 to"),
    "object for a number": (argument("lin", "insize", {"a": 1}), "a whole number from 1 to"),
    "negative": (argument("lin", "insize", -5), "a whole number from 1 to"),
    "past the machine's numbers": (argument("lin", "insize", 2 ** 63), "a whole number from 1"),
    "number for a truth": (argument("lin", "useBias", 1), "must be true or false"),
    "word for a truth": (argument("bn", "affine", "yes"), "must be true or false"),
    "endless word": (argument("lin", "name", "a" * 2000), "a text of up to 1024 letters"),
    "zero in a name": (argument("lin", "name", "a\0b"), "a text of up to 1024 letters"),
    "endless list": (argument("conv", "size", [3] * 1000), "a list of up to 32"),
    "lists in a list": (argument("conv", "size", [[3], 3]), "a list of up to 32"),
    "NaN": (argument("bn", "epsilon", float("nan")), "finite numbers only, got NaN"),
    "Infinity": (argument("bn", "epsilon", float("inf")), "finite numbers only, got Infinity"),
    "infinite after all": (argument("bn", "epsilon", 1).replace('"epsilon": 1', '"epsilon": 1e999'),
                           r"must be a number up to 2\*\*127"),
    "no random number": (argument("bn", "sscale", 1e300), r"must be a number up to 2\*\*64"),
    "ten thousand digits": (argument("lin", "insize", 1).replace(
        '"insize": 1', '"insize": ' + "9" * 10000), "is no json|a whole number"),
    "unknown activation": (changed("modules", "graph", "modules", "relu", "scheme", "activation",
                                   to="os.system"), "activation must be one of"),
    "huge matrix": (argument("lin", "insize", huge), "Linear would have .* numbers, where"),
    "huge matrix of its own": (alone("Linear", insize=huge, outsize=huge), "would have .* numbers"),
    "many large matrices": (json.dumps({
        "classname": "Sequential", "scheme": {}, "graph": [str(i) for i in range(1000)],
        "modules": {str(i): {"classname": "Linear", "scheme": {"insize": 1000, "outsize": 1000}}
                    for i in range(1000)}}), "would have .* numbers, where there is room for"),
    "huge filters": (argument("conv", "size", [30000, 30000]), "Conv2D would have .* numbers"),
    "huge empty matrix": (alone("Linear", insize=huge, outsize=huge, empty=False), "would have"),
    "huge normalization": (argument("bn", "size", huge), "BatchNorm would have .* numbers"),
    "huge axes": (alone("BatchNormAxes", shape=[None, huge, huge], axes=0), "would have .* numb"),
    "many axes": (alone("BatchNormND", nd=10 ** 9, maps=3), "a whole number from 0 to 32"),
    "huge layer norm": (alone("LayerNorm", shape=[65536, 65536]), "would have .* numbers"),
    "huge groups": (alone("GroupNorm", groups=1, maps=huge), "would have .* numbers"),
    "huge slopes": (alone("PRelu", maps=huge), "would have .* numbers"),
    "unknown key": (changed("code", to="import os"), "must have the keys classname, graph"),
    "key of containers": (changed("modules", "flat", "modules", to={}), "must have the keys class"),
    "key twice": (alone("Flatten")[:-1] + ', "classname": "Linear"}', "has a key twice"),
    "argument twice": ('{"classname": "Flatten", "scheme": {"name": "a", "name": "b"}}', "twice"),
    "modules missing": (without("modules"), "must have the keys"),
    "modules as a list": (changed("modules", to=[]), "modules must be an object"),
    "graph names others": (changed("graph", to=["conv", "evil"]), "each once"),
    "graph names one twice": (changed("graph", to=["conv"] * 5), "each once"),
    "graph of numbers": (changed("graph", to=[0, 1, 2, 3, 4]), "each once"),
    "slash in a name": (json.dumps({"classname": "Sequential", "scheme": {}, "graph": ["a/b"],
                                    "modules": {"a/b": json.loads(alone("Flatten"))}}), "a slash"),
    "deep tower": (tower(deepest + 1), "has more than 64 containers within|brackets within"),
    "very deep tower": (tower(300), "has brackets within brackets, more than 168 deep"),
    "brackets": ("[" * 10 ** 6, "has brackets within brackets, more than"),
    "objects in objects": ('{"a":' * 10 ** 5, "has brackets within brackets, more than"),
    "too long a text": (" " * (mostLetters + 1), "must be a text of up to 4194304 letters"),
    "very many modules": (json.dumps({
        "classname": "Sequential", "scheme": {}, "graph": [str(i) for i in range(5000)],
        "modules": {str(i): {"classname": "Flatten", "scheme": {}} for i in range(5000)}}),
        "more than 4096 modules"),
    "graph as a list": (graphOf([]), "graph must be an object"),
    "node of no module": (graphOf({"x": [], "evil": []}), "graph must be an object with"),
    "edge to nowhere": (graphOf({"x": [], "relu": [["evil", None]]}), "edges of relu must"),
    "edge without slots": (graphOf({"x": [], "relu": [["x"]]}), "the edges of relu must"),
    "edge of numbers": (graphOf({"x": [], "relu": [[0, None]]}), "the edges of relu must"),
    "negative slot": (graphOf({"x": [], "relu": [["x", -1]]}), "a parent is a node, "),
    "slot of words": (graphOf({"x": [], "relu": [["x", "a"]]}), "a parent is a node, "),
    "cycle": (graphOf({"x": [["relu", None]], "relu": [["x", None]]}), "an input has no parents"),
    "node that leads nowhere": (graphOf({"x": [], "relu": []}), "has no parents"),
    "inputs of nowhere": (changed("modules", "graph", "inputs", to=["evil"]), "inputs and outputs"),
    "inputs as a word": (changed("modules", "graph", "inputs", to="x"), "inputs and outputs must"),
    "no outputs": (changed("modules", "graph", "outputs", to=[]), "outputs must be a node or"),
}
imports, watching = [], []


@pytest.fixture(scope="module", autouse=True)
def watch():
    """What is imported, compiled, run or opened while a test watches; a hook stays for ever."""
    sys.addaudithook(lambda event, args: imports.append((event, args)) if watching and event in (
        "import", "exec", "compile", "os.system", "subprocess.Popen", "open", "ctypes.dlopen")
        else None)
    BlueprintFactory().build(json.loads(json.dumps(good().getBlueprint())))  # what is late is there
    Blueprint.load(good().save(withBlueprint=True))


def image(text):
    """A file of good weights, whose blueprint is the text."""
    return WeightFiles.changed(lambda file: file.__setitem__("blueprint", text), good().save())


def build(text):
    return BlueprintFactory(numbers=2 ** 20).build(parsed(text))


@pytest.mark.parametrize("door", [build, lambda text: Blueprint.load(image(text))],
                         ids=["factory", "file"])
@pytest.mark.parametrize("text, message", hostile.values(), ids=hostile)
def test_harm_is_refused(text, message, door):
    tracemalloc.start()
    try:
        with pytest.raises(BlueprintError, match=message) as caught:
            watching.append(True)
            door(text)
    finally:
        watching.clear()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert imports == []
    assert peak < 128 * 2 ** 20 and len(str(caught.value)) <= 1000
    assert isinstance(caught.value, ValueError)


def test_a_tower_of_the_full_height_stands():
    net = build(tower(deepest))

    assert len(list(net.namedModules(""))) == deepest + 1


def test_the_good_one_is_built():
    net = build(json.dumps(good().getBlueprint()))

    assert [mod.name for mod in net] == ["conv", "bn", "flat", "lin", "graph"]


def bomb(file):
    """A weight that says it has 2^40 numbers in a few bytes."""
    del file["params/0"]
    file.create_dataset("params/0", (2 ** 20, 2 ** 20), np.float32, chunks=(1024, 1024),
                        compression="gzip")
    file["params/0"][0, 0] = 1


def linked(file):
    file["blueprint"] = h5py.SoftLink("/links")


def external(file):
    file["blueprint"] = h5py.ExternalLink("/etc/passwd", "/x")


def numbers(file):
    file["blueprint"] = np.arange(9)


def words(file):
    file["blueprint"] = ["{}", "{}"]


def grouped(file):
    file.create_group("blueprint")


def undecodable(file):
    file["blueprint"] = np.bytes_(b"\xff\xfe{}")


def big(file):
    bomb(file)
    file["blueprint"] = alone("Linear", insize=2 ** 20, outsize=2 ** 20)


def manyLinks(file):
    """A hundred links to one weight of a million zeros, and as many modules."""
    del file["links"], file["params"]
    file.create_dataset("params/0", data=np.zeros((1000, 1000), np.float32), compression="gzip")
    for i in range(100):
        file[f"links/net.{i}.W"] = 0
    args = {"insize": 1000, "outsize": 1000, "useBias": False}
    file["blueprint"] = json.dumps({
        "classname": "Sequential", "scheme": {"name": "net"}, "graph": [str(i) for i in range(99)],
        "modules": {str(i): {"classname": "Linear", "scheme": args} for i in range(99)}})


@pytest.mark.parametrize("change, message", [
    (linked, "must be a hard link, not a SoftLink"), (external, "is missing|must be a hard link"),
    (numbers, "must be a text of up to .*, got ndarray"), (grouped, "must be a dataset"),
    (words, "must be a text of up to .*, got ndarray"), (undecodable, "it is damaged"),
    (big, "Linear would have .* numbers, where there is room for")])
def test_files_that_would_do_harm_are_refused(change, message):
    harmful = WeightFiles.changed(change, good().save())

    with pytest.raises(BlueprintError, match=message):
        Blueprint.load(harmful)


def test_many_links_to_one_weight_take_the_room_of_one():
    harmful = WeightFiles.changed(manyLinks, good().save())

    tracemalloc.start()
    with pytest.raises(ValueError, match="net.99.W is not in this module"):
        Blueprint.load(harmful)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100 * 2 ** 20


def spots(value, path=()):
    """The paths of everything inside a json value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(
        value, list) else ()
    for key, each in items:
        yield from spots(each, (*path, key))


junk = [None, True, 0, -1, 7, 2 ** 31, 10 ** 30, 0.5, 1e300, "", "a", "relu", "a/b", "\ud800", [],
        {}, [1], ["x"], [[["x", None]]], {"a": 1}, "Linear", "Graph", "0" * 2000, [None], [-1, 3]]


def test_nothing_but_its_own_error_comes_out_whatever_is_changed():
    rng, blueprint = np.random.default_rng(0), good().getBlueprint()
    places, built = [path for path in spots(blueprint) if path], 0
    for _ in range(1500):
        other = copy.deepcopy(blueprint)
        for _ in range(rng.integers(1, 4)):
            *path, last = places[rng.integers(len(places))]
            at = other
            for key in path:
                at = at[key] if isinstance(at, dict) and key in at or (
                    isinstance(at, list) and isinstance(key, int) and key < len(at)) else None
            if isinstance(at, (dict, list)) and (isinstance(at, dict) or last in range(len(at))):
                at[last] = junk[rng.integers(len(junk))]
        try:
            net = build(json.dumps(other))
        except BlueprintError:
            continue
        built += 1
        assert net.getBlueprint()
    assert 20 < built < 1000
