"""How many inputs and outputs a neuron has; the distributions are seen in test_Linear.py."""

import numpy as np
import pytest

from minidl.Modules import InitScheme, Module
from minidl.Modules.InitScheme import createTensorWithScheme, inferNeuronsNumber, initialValues


@pytest.mark.parametrize("shape, outs, ins", [
    ((7,), 7, 7), ((3, 5), 5, 3), ((8, 4, 3), 24, 12), ((8, 4, 3, 2), 48, 24),
])
def test_counts_outputs_and_inputs(shape, outs, ins):
    assert inferNeuronsNumber(shape) == Module.inferNeuronsNumber(shape, False) == (outs, ins)
    assert inferNeuronsNumber(shape, transpose=True) == (ins, outs)


def test_scheme_may_be_found_from_another_shape():
    W = createTensorWithScheme("uniform", (500, 500), 1, factorShape=(3, 5))
    narrow = createTensorWithScheme(None, (500, 500), 1, factorShape=(300, 5))
    wide = createTensorWithScheme(None, (500, 500), 1, factorShape=(300, 5), factorTranspose=True)

    assert np.abs(W).max() == pytest.approx(1, rel=1e-3)
    assert np.abs(narrow).max() == pytest.approx(np.sqrt(3 / 300), rel=1e-3)
    assert np.abs(wide).max() == pytest.approx(np.sqrt(3 / 5), rel=1e-3)


def test_takes_words_and_members_and_gives_the_dtype():
    for scheme in ("he", InitScheme.he, ("he", "in"), (InitScheme.he, "in")):
        np.random.seed(0)
        W = Module.createTensorWithScheme(scheme, (4, 3), 1.0, dtype=np.float64)

        np.random.seed(0)
        assert np.array_equal(W, np.random.normal(0, np.sqrt(2 / 4), (4, 3)))


def test_none_gives_no_tensor():
    assert createTensorWithScheme("none", (4, 3), 1.0) is None


@pytest.mark.parametrize("given, expected", [
    (2, np.full((1, 3, 1, 2), 2)),
    (np.arange(6).reshape(3, 2), np.arange(6).reshape(1, 3, 1, 2)),
    (np.arange(6).reshape(1, 3, 1, 2), np.arange(6).reshape(1, 3, 1, 2)),
    (lambda shape: np.ones(shape) * 5, np.full((1, 3, 1, 2), 5)),
    (lambda shape: 7, np.full((1, 3, 1, 2), 7)),
], ids=["number", "without ones", "full", "function", "function of a number"])
def test_initial_values_are_numbers_arrays_or_functions(given, expected):
    values = initialValues(given, (1, 3, 1, 2))

    assert values.dtype == np.float64 and np.array_equal(values, expected)
    assert values.shape == expected.shape


@pytest.mark.parametrize("shape", [(5,), (2, 3), (6,), (3, 2, 2), (1,)])
def test_initial_values_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be a number or have shape \(1, 3, 1, 2\), .* got "):
        initialValues(np.ones(shape), (1, 3, 1, 2))
