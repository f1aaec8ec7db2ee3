"""
What a blueprint may name: the classes, the arguments of their constructors, and how many numbers of
parameters these ask for. Nothing else of a file's text is ever looked up.
"""

import functools
import inspect
from math import prod

from minidl import Modules
from minidl.Backend import Axes
from minidl.Containers import Graph, Parallel, Sequential
from minidl.Modules import (
    BatchNormAxes,
    BatchNormND,
    ConvND,
    InstanceNorm2D,
    LayerNorm,
    Linear,
    Module,
    PRelu,
)
from minidl.Modules.SampleNorm import SampleNorm

listed = {name: vars(Modules)[name] for name in Modules.__all__}
modules = {name: kind for name, kind in listed.items()
           if inspect.isclass(kind) and issubclass(kind, Module) and kind is not Module}
containers = {"Graph": Graph, "Parallel": Parallel, "Sequential": Sequential}


# The arguments

def isInt(value, least=-2 ** 31 + 1, most=2 ** 31 - 1):
    return type(value) is int and least <= value <= most


def isSize(value):
    return isInt(value, 1)


def isAxisCount(value):
    return isInt(value, 0, 32)


def isBool(value):
    return type(value) is bool


def isNumber(value, most=2 ** 127):
    return type(value) in (int, float) and abs(value) <= most  # NaN is not


def isSpread(value):
    return isNumber(value, 2 ** 64)  # so that no random number overflows


def isText(value):
    return type(value) is str and len(value) <= 1024 and "\0" not in value


def isIntOrSeveral(value):
    several = value if type(value) is list else [value]
    return len(several) <= 32 and all(each is None or isInt(each) for each in several)


def isAxes(value):
    return isText(value) or isIntOrSeveral(value)


def isFewNumbers(value):
    return type(value) is list and len(value) <= 32 and all(map(isNumber, value))


def isArray(value, depth=0):
    """A number, or lists of them within lists."""
    if type(value) is not list:
        return isNumber(value)
    return depth < 32 and all(isArray(each, depth + 1) for each in value)


def isSlice(value):
    return (type(value) is dict and value.keys() == {"start", "stop", "step"}
            and all(each is None or isInt(each) for each in value.values()))


def isScheme(value):
    return isText(value) or type(value) is list and len(value) == 2 and all(map(isText, value))


kinds = {  # what an argument must be: how it is told; the arguments
    isSize: ("a whole number from 1 to 2**31 - 1",
             "insize outsize inmaps outmaps groups maps numOfMaps times N"),
    isAxisCount: ("a whole number from 0 to 32", "nd"),
    isIntOrSeveral: ("a whole number below 2**31, or a list of up to 32 of them",
                     "size stride pad dilation postpad scale shape"),
    isAxes: ("a word, a whole number, or a list of up to 32 of them", "axes"),
    isNumber: ("a number up to 2**127",
               "epsilon initFactor minFactor p alpha beta K fillValue"),
    isSpread: ("a number up to 2**64", "wscale sscale"),
    isFewNumbers: ("a list of up to 32 numbers up to 2**127", "args"),
    isArray: ("a number up to 2**127, or lists of them", "scaleInit biasInit meanInit varInit"),
    isBool: ("true or false",
             "useBias empty transpose inplace affine useMask includePad sharedMaps showWarnings "
             "trackRunningStats unbiased fixScale useGlobalStats learnScale learnBias useAverages "
             "updateAverages unsafe nodesOnly"),
    isText: ("a text of up to 1024 letters", "name activation mode runningStat"),
    isScheme: ("a word, or a list of two", "initscheme"),
    isSlice: ("an object of start, stop and step", "slc slicing"),
}
kindOf = {word: kind for kind, (_, words) in kinds.items() for word in words.split()}
untold = {"rng", "maxpool2d", "inputs", "outputs"}  # a scheme has null in their place


@functools.cache
def wordsOf(kind):
    """The arguments of a class by name, with those that its constructor passes on."""
    parameters = inspect.signature(kind).parameters.values()
    passesOn = any(each.kind is each.VAR_KEYWORD for each in parameters)
    own = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    options = inspect.signature(BatchNormAxes).parameters.values() if passesOn else ()
    return own | {each.name for each in options if each.kind is each.KEYWORD_ONLY}


def problem(kind, word, value):
    """Why an argument of class `kind` must not be `value`, or None; null says nothing."""
    if value is None:
        return None
    if word not in wordsOf(kind) or word not in kindOf:
        return "is no argument of it that a blueprint can tell"
    check = kindOf[word]
    return None if check(value) else f"must be {kinds[check][0]}"


# The numbers of parameters

def numbersOf(kind, args):
    """
    How many numbers a module's parameters and state have, by its arguments that have passed
    `problem`, before anything is made.
    """
    given = inspect.signature(kind).bind(**args)
    given.apply_defaults()
    given = given.arguments
    if given.get("empty"):
        return 0
    if kind is Linear:
        return (given["insize"] + 1) * given["outsize"]
    if issubclass(kind, ConvND):
        nd = given.get("nd") or int(kind.__name__[-2])
        size = given["size"] if type(given["size"]) is list else [given["size"]] * nd
        return (given["inmaps"] * prod(map(abs, size)) + 1) * given["outmaps"] // given["groups"] \
            + given["outmaps"]
    if issubclass(kind, BatchNormAxes):
        return 6 * channels(kind, given)
    if kind is LayerNorm:
        return 2 * prod(map(abs, several(given["shape"])))
    if issubclass(kind, SampleNorm):
        return 2 * given["numOfMaps" if kind is InstanceNorm2D else "maps"]
    return given["maps"] if kind is PRelu else 0


def channels(kind, given):
    """How many a batch normalization has."""
    if issubclass(kind, BatchNormND):
        return given["maps"] if "maps" in given else given["size"]
    shape, axes = given["shape"], given["axes"]
    normalized = Axes.resolved("spatial" if axes == "auto" else axes, len(shape))
    return prod(abs(size) for at, size in enumerate(shape) if at not in normalized)


def several(value):
    return value if type(value) is list else [value]
