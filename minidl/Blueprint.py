"""
Builds a net from what its file says of it, without its program.

    net.save("net.hdf", withBlueprint=True)
    net = Blueprint.load("net.hdf")

A blueprint is a json text; its layout is PuzzleLib's:

    module      {"classname": ..., "scheme": {argument of the constructor: value}}
    Sequential  as well "modules": {name: blueprint}, "graph": [name, ...], and so Parallel
    Graph       as well "graph": {node: [[parent, slots], ...]}, "inputs": [node, ...], "outputs"

It may come from anywhere: classes and arguments are those of BlueprintTable.py, and before anything
is made, its size is held against what the file has.
"""

import json
import re

import numpy as np

from minidl import Config
from minidl.BlueprintTable import containers, modules, numbersOf, problem, wordsOf
from minidl.Containers import Graph
from minidl.Containers.Node import Node
from minidl.GuardedFile import Guarded, WeightsError, reading
from minidl.Weights import shortened

mostLetters = 2 ** 22  # of a text
deepest = 64  # containers within containers
mostModules = 4096
mostNumbers = 2 ** 28  # of parameters, where no file says how many there are
besides = 2 ** 22  # numbers that a file need not have, such as the scale of a norm without one


class BlueprintError(ValueError, RuntimeError):
    """A blueprint that no net is built from."""


def load(hdf, name=None, assumeUniqueNames=False, log=False):
    """
    The net of a file that was saved with its blueprint, and the weights in it.

    Raises BlueprintError if the net cannot be built, WeightsError if the weights do not fit it, as
    those of float64 do not: build such a net with BlueprintFactory, then calcMode and load.

    Args:
        hdf, name, assumeUniqueNames: as Module.load's.
        log: whether to log each module that is built.
    """
    try:
        with reading(hdf, "Blueprint") as (group, problems):
            text = Guarded(group, "/", problems).readAny("blueprint")
            found = [Guarded(group, room, problems) for room in ("links", "params", "attrs")]
            links = {key: found[0].read(key, (), np.dtype(np.int64)) for key in found[0].names()}
            numbers = sum(room.declared(key) for room in found[1:] for key in room.names())
    except WeightsError as error:
        raise BlueprintError(str(error)) from error
    # A module that shares its variables takes room before it gives it back.
    factory = BlueprintFactory(2 * numbers + besides, Links(links, name, assumeUniqueNames))
    net = factory.build(parsed(text), log)
    net.load(hdf, name, assumeUniqueNames)
    return net


def parsed(text):
    """A json text of a bounded size as lists and dicts, where no key comes twice."""
    if type(text) is not str or len(text) > mostLetters:
        given = f"{len(text)} of them" if type(text) is str else type(text).__name__
        fail("", f"must be a text of up to {mostLetters} letters, got {given}")
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[][{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > 2 * deepest + 40:  # a container has two, its last module an argument's
            fail("", f"has brackets within brackets, more than {2 * deepest + 40} deep")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuseConstant)
    except BlueprintError:
        raise
    except (ValueError, RecursionError) as error:
        raise BlueprintError(f"Blueprint: is no json ({error})") from error


def unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        fail("", f"has a key twice, among {', '.join(key for key, _ in pairs)[:200]}")
    return found


def refuseConstant(word):
    fail("", f"may have finite numbers only, got {word}")


def fail(path, message):
    place = path.strip(".")[:200]
    raise BlueprintError(f"Blueprint{f' of {place!r}' if place else ''}: {message}"[:1000])


class Links:
    """
    The names of variables in a file, {full name: number}; those of one number are one variable.

    Args:
        name: of the net in the file; None for its own.
    """

    def __init__(self, numbers, name, assumeUniqueNames):
        self.numbers, self.name, self.assumeUniqueNames = numbers, name, assumeUniqueNames
        self.owners = {}  # {number: the first variable that has it}

    def number(self, path, key):
        found = self.numbers.get(shortened(f"{path}.{key}", self.assumeUniqueNames))
        return None if found is None else int(found)

    def share(self, path, mod):
        """Gives `mod` the variables that are others' too; returns how many numbers that saves."""
        saved = 0
        for key, var in list(mod.vars.items()):
            number = self.number(path, key)
            owner = var if number is None else self.owners.setdefault(number, var)
            if owner is not var and owner.data.shape == var.data.shape:
                mod.setVar(key, owner)
                saved += var.data.size
        return saved


class BlueprintFactory:
    """
    Builds modules from their blueprints, with uninitialised weights (the init scheme "none").

    Args:
        numbers: how many numbers all parameters together may have.
        links: Links of the file that the weights come from. Without it each module has variables
            of its own, and one that was made with empty=True has none.
    """

    def __init__(self, numbers=mostNumbers, links=None):
        self.numbers, self.links = numbers, links

    def build(self, blueprint, log=False):
        """The module of a blueprint, as getBlueprint gives it; with `log` each one is logged."""
        self.room, self.modules, self.log = self.numbers, mostModules, log
        name = self.links.name if self.links else None
        name = name or (isDict(blueprint, "scheme") and blueprint["scheme"].get("name")) or ""
        return self.make(blueprint, name if type(name) is str else "", 0)

    def make(self, blueprint, path, depth):
        """The module of that path in the net."""
        self.modules -= 1
        if depth > deepest or self.modules < 0:
            fail(path, f"has more than {deepest} containers within containers, or more than "
                       f"{mostModules} modules")
        if not (isDict(blueprint, "scheme") and type(blueprint.get("classname")) is str):
            fail(path, "must be an object with a text classname and an object scheme")
        classname = blueprint["classname"]
        kind = containers.get(classname) or modules.get(classname)
        if kind is None:
            fail(path, f"has no known class, got {classname[:100]!r}")
        self.checkKeys(blueprint, classname, path)
        args = self.arguments(kind, blueprint["scheme"], path)
        try:
            if classname in containers:
                mod = self.container(kind, args, blueprint, path, depth)
            else:
                mod = self.module(kind, args, path)
        except BlueprintError:
            raise
        except (TypeError, ValueError, LookupError, ArithmeticError, MemoryError) as error:
            fail(path, f"{classname} cannot be built: {error}")
        if self.log:
            Config.getLogger().info("built %s", mod)
        return mod

    def checkKeys(self, blueprint, classname, path):
        keys = {"classname", "scheme"}
        if classname in containers:
            keys |= {"modules", "graph"}
        if classname == "Graph":
            keys |= {"inputs", "outputs"}
        if blueprint.keys() != keys:
            fail(path, f"{classname} must have the keys {', '.join(sorted(keys))}, got "
                       f"{', '.join(sorted(blueprint))}")

    def arguments(self, kind, scheme, path):
        for word, value in scheme.items():
            reason = problem(kind, word, value)
            if reason:
                fail(path, f"{kind.__name__}'s {word[:100]} {reason}, got {str(value)[:100]}")
        args = {word: value for word, value in scheme.items() if value is not None}
        for word in args.keys() & {"slc", "slicing"}:
            args[word] = slice(args[word]["start"], args[word]["stop"], args[word]["step"])
        if "initscheme" in wordsOf(kind):
            args["initscheme"] = "none"
        return args

    def module(self, kind, args, path):
        isLinked = args.get("empty", False) and self.links is not None
        if isLinked:
            args = {**args, "empty": False}
        need = numbersOf(kind, args)
        if need > self.room:
            fail(path, f"{kind.__name__} would have {need} numbers, where there is room for "
                       f"{self.room}")
        mod = kind(**args)
        self.room -= need
        if isLinked:  # what the file gives it, it shall have, and nothing else
            mod.blueprint["scheme"]["empty"] = True
            for key in [key for key in mod.vars if self.links.number(path, key) is None]:
                del mod.vars[key]
                setattr(mod, key, None)
        if self.links is not None:
            self.room += self.links.share(path, mod)
        return mod

    def container(self, kind, args, blueprint, path, depth):
        if not isDict(blueprint, "modules"):
            fail(path, "modules must be an object of blueprints")
        made = {name: self.make(part, f"{path}.{name}", depth + 1)
                for name, part in blueprint["modules"].items()}
        graph = blueprint["graph"]
        if kind is Graph:
            return self.graph(args, made, blueprint, path)
        if not isNames(graph) or sorted(graph) != sorted(made):
            fail(path, "graph must be a list of the names of modules, each once")
        for name, mod in made.items():
            mod.name = name
        return kind(args.get("name")).extend(made[name] for name in graph)

    def graph(self, args, made, blueprint, path):
        graph, ends = blueprint["graph"], (blueprint["inputs"], blueprint["outputs"])
        if not isDict(blueprint, "graph") or graph.keys() != made.keys():
            fail(path, "graph must be an object with the names of modules")
        if not all(isNames(names) and set(names) <= made.keys() for names in ends):
            fail(path, "inputs and outputs must be lists of names of modules")
        nodes = {name: Node(mod, name=name) for name, mod in made.items()}
        for name, edges in graph.items():
            if type(edges) is not list or not all(
                    type(edge) is list and len(edge) == 2 and type(edge[0]) is str
                    and edge[0] in nodes for edge in edges):
                fail(path, f"the edges of {name[:100]} must be lists [name, slots] with names of "
                           f"modules, got {str(edges)[:100]}")
            nodes[name].addBackwards([(nodes[parent], slots) for parent, slots in edges])
        inputs, outputs = ([nodes[name] for name in names] for names in ends)
        return Graph(inputs, outputs, args.get("unsafe", False), name=args.get("name"))


def isDict(blueprint, key):
    return type(blueprint) is dict and type(blueprint.get(key)) is dict


def isNames(value):
    return type(value) is list and all(type(each) is str for each in value)
