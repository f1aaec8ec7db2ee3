"""The table of classes and arguments is complete, and sizes are known before they are made."""

import inspect

import pytest

from minidl import Modules
from minidl.BlueprintTable import (
    containers,
    kindOf,
    modules,
    numbersOf,
    problem,
    untold,
    wordsOf,
)
from minidl.Modules import (
    BatchNorm,
    BatchNormAxes,
    Conv2D,
    GroupNorm,
    InstanceNorm2D,
    LayerNorm,
    Linear,
    Module,
)
from tests.Cases import cases

classes = {**modules, **containers}


def test_all_exported_modules_and_no_others_are_known():
    exported = {name for name in Modules.__all__
                if inspect.isclass(vars(Modules)[name]) and issubclass(vars(Modules)[name], Module)}

    assert set(modules) == exported - {"Module"} and len(modules) > 40
    assert all(kind.__name__ == name for name, kind in classes.items())


@pytest.mark.parametrize("name", classes)
def test_every_argument_has_a_kind(name):
    assert wordsOf(classes[name]) <= kindOf.keys() | untold


def test_every_kind_is_an_arguments():
    assert kindOf.keys() <= {word for kind in classes.values() for word in wordsOf(kind)}


def test_options_that_a_constructor_passes_on_are_its_arguments():
    assert {"unbiased", "useAverages", "scaleInit", "size"} <= wordsOf(BatchNorm)
    assert "options" not in wordsOf(BatchNorm) and "unbiased" not in wordsOf(Conv2D)


def scheme(module):
    return {word: value for word, value in module.getBlueprint()["scheme"].items()
            if value is not None and not isinstance(value, dict)}


@pytest.mark.parametrize("case", cases, ids=repr)
def test_what_modules_are_made_with_has_no_problem(case, rng):
    module = case.make(rng)

    for word, value in module.getBlueprint()["scheme"].items():
        assert problem(case.kind, word, value) is None, word


@pytest.mark.parametrize("case", cases, ids=repr)
def test_numbers_are_known_before(case):
    module = case.kind(*case.args, **case.kwargs)
    arrays = [getattr(module, name) for name in (*module.vars, *module.attrs)
              if name != "numOfProps"]

    assert sum(array.size for array in arrays) <= numbersOf(case.kind, scheme(module))


@pytest.mark.parametrize("module, expected", [
    (Linear(7, 5), 7 * 5 + 5), (Linear(7, 5, transpose=True), 7 * 5 + 5),
    (Linear(7, 5, empty=True), 0), (Conv2D(4, 6, 3), 4 * 6 * 9 + 6),
    (Conv2D(4, 6, (3, 2), groups=2), 2 * 6 * 6 + 6), (GroupNorm(2, 6), 12), (InstanceNorm2D(6), 12),
    (LayerNorm((3, 5)), 30), (LayerNorm(7), 14), (BatchNorm(5), 5 * 4),
    (BatchNormAxes((None, 5, 3), (0, 2)), 5 * 4), (BatchNormAxes((None, 5, 3), 0), 15 * 4),
], ids=repr)
def test_numbers_are_not_far_too_many(module, expected):
    assert expected <= numbersOf(type(module), scheme(module)) <= 1.6 * expected


@pytest.mark.parametrize("word, good, bad", [
    ("insize", [1, 2 ** 31 - 1], [0, -1, 1.0, True, "3", [3], 2 ** 31, 10 ** 4000, {}]),
    ("nd", [0, 3, 32], [33, -1, 2 ** 31 - 1, "2", True]),
    ("size", [1, 0, [3, 2], [None, 3]], ["3", 2.5, [3] * 33, [[3]], ["a"], 2 ** 31, [True]]),
    ("axes", [0, -1, [0, 2], "auto"], [[0.5], {}, [0] * 33, "a" * 1025]),
    ("p", [0, 0.5, -3, 1e38], [1e39, 10 ** 400, float("nan"), float("inf"), -float("inf"), "0.5",
                               True, [0.5]]),
    ("wscale", [0, 1e19], [1e20, -1e20, float("nan")]),
    ("args", [[], [0.3, 6]], [[float("nan")], 0.3, ["a"], [1] * 33, [[1]]]),
    ("useBias", [True, False], [0, 1, "true", [], {}]),
    ("name", ["a", "приве́т", ""], [3, ["a"], "a" * 1025, "a\0b", {}]),
    ("initscheme", ["he", ["he", "out"]], [["he"], 3, ["he", 3], {}, ["a", "b", "c"]]),
    ("slc", [dict(start=1, stop=None, step=3)],
     [dict(start=1), dict(start=1, stop=2, step=0.5), [1, 2, 3], 3, "x",
      dict(start=1, stop=2, step=3, more=4)]),
    ("scaleInit", [1, [1, 2.5], [[1], [2]]], ["one", [float("nan")], {}, [None]]),
])
def test_kinds_of_arguments(word, good, bad):
    check = kindOf[word]

    assert all(check(value) for value in good)
    assert not any(check(value) for value in bad)


def test_arrays_within_arrays_have_an_end():
    value = 1.0
    for _ in range(40):
        value = [value]

    assert not kindOf["scaleInit"](value)
