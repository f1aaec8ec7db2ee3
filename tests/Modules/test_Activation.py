import numpy as np
import pytest

from minidl import Modules
from minidl.Backend import gpuarray
from minidl.Containers import ContainerError, Sequential
from minidl.Modules import Activation, ActivationType, ModuleError

with np.errstate(all="ignore"):
    softPlus = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

formulas = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leakyRelu": lambda x, a=0.01: np.where(x > 0, x, a * x),
    "elu": lambda x, a=1.0: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    "softPlus": softPlus,
    "clip": lambda x, low=0.0, high=6.0: np.minimum(np.maximum(x, low), high),
}
derivatives = {
    "sigmoid": lambda x: 1 / (2 + np.exp(x) + np.exp(-x)),
    "tanh": lambda x: np.cosh(x) ** -2.0,
    "relu": lambda x: x > 0,
    "leakyRelu": lambda x, a=0.01: np.where(x > 0, 1, a),
    "elu": lambda x, a=1.0: np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
    "softPlus": lambda x: 1 / (1 + np.exp(-x)),
    "clip": lambda x, low=0.0, high=6.0: (x > low) & (x < high),
}
everyName = pytest.mark.parametrize("name", formulas)
withArguments = pytest.mark.parametrize("name, args", [
    *((name, ()) for name in formulas),
    ("leakyRelu", (0.3,)), ("elu", (0.7,)), ("clip", (-2.0, 1.0)),
])


def apply(module, x, grad=None):
    """(output, input gradient) as host arrays."""
    out = module(gpuarray.to_gpu(x.astype(np.float32))).get()
    grad = np.ones_like(out) if grad is None else grad
    module.backward(gpuarray.to_gpu(grad.astype(np.float32)))
    return out, module.grad.get()


@withArguments
def test_is_its_formula_and_derivative(name, args, rng):
    x, g = rng.standard_normal((2, 23, 7)).astype(np.float32) * 4

    y, grad = apply(Activation(name, args=args), x, g)

    x = x.astype(np.float64)
    np.testing.assert_allclose(y, formulas[name](x, *args), rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(grad, g * derivatives[name](x, *args), rtol=1e-5, atol=1e-6)


sweep = np.concatenate([
    np.linspace(-100, 100, 20001), np.linspace(-1, 1, 10001),
    np.logspace(-37, 2, 5001), -np.logspace(-37, 1.9, 5001),
]).astype(np.float32)


@everyName
def test_float32_is_right_to_three_roundings(name):
    y, _ = apply(Activation(name), sweep)

    expected = formulas[name](sweep.astype(np.float64))
    normal = np.abs(expected) > 1.2e-38  # below it float32 has fewer digits
    error = np.abs(y - expected)[normal]
    assert (error <= 3 * np.spacing(np.abs(expected[normal]).astype(np.float32))).all()
    assert (np.abs(y[~normal]) < 1.2e-38).all()


@everyName
def test_result_has_one_order_with_its_argument(name):
    y, _ = apply(Activation(name), np.sort(sweep))

    assert (np.diff(y.astype(np.float64)) >= -2e-7 * np.abs(y[1:])).all()


limits = {  # name: at -1e4, -Inf, 1e4, Inf
    "sigmoid": (0, 0, 1, 1),
    "tanh": (-1, -1, 1, 1),
    "relu": (0, 0, 1e4, np.inf),
    "leakyRelu": (-100, -np.inf, 1e4, np.inf),
    "elu": (-1, -1, 1e4, np.inf),
    "softPlus": (0, 0, 1e4, np.inf),
    "clip": (0, 0, 6, 6),
}


@everyName
def test_extreme_values_come_to_their_limits(name):
    y, grad = apply(Activation(name), np.array([-1e4, -np.inf, 1e4, np.inf]))

    np.testing.assert_allclose(y, limits[name], rtol=1e-6)
    assert np.isfinite(grad).all()


@everyName
@pytest.mark.parametrize("size", [1, 7, 100])
def test_nan_stays_nan_and_stays_where_it_is(name, size, rng):
    x = rng.standard_normal(size)
    x[size // 2] = np.nan

    y, _ = apply(Activation(name), x)

    assert np.array_equal(np.isnan(y), np.isnan(x))


@everyName
def test_zero_of_either_sign_gives_one_answer(name):
    y, grad = apply(Activation(name), np.array([0.0, -0.0]))

    assert y[0] == y[1] == pytest.approx(formulas[name](0.0))
    assert grad[0] == grad[1]


@pytest.mark.parametrize("name, corners, outside", [("relu", [0.0], 0), ("clip", [0.0, 6.0], 0)])
def test_derivative_is_zero_at_corners(name, corners, outside):
    _, grad = apply(Activation(name), np.array(corners))

    assert (grad == outside).all()


@everyName
def test_in_place_writes_over_data_and_gradient(name, rng):
    x, g = rng.standard_normal((2, 5, 7)).astype(np.float32)
    expected = apply(Activation(name), x, g)
    module, data, grad = Activation(name, inplace=True), gpuarray.to_gpu(x), gpuarray.to_gpu(g)

    module(data)
    module.backward(grad)

    assert module.data is data and module.grad is grad
    assert np.array_equal(data.get(), expected[0])
    assert np.array_equal(grad.get(), expected[1])


@everyName
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("slc", [slice(3, 20), slice(1, None, 4), slice(None), slice(0, 0)])
def test_slice_changes_only_its_elements(name, slc, inplace, rng):
    x, g = rng.standard_normal((2, 35)).astype(np.float32)
    y, grad = apply(Activation(name), x, g)
    expected, expectedGrad = x.copy(), g.copy()
    expected[slc], expectedGrad[slc] = y[slc], grad[slc]

    module = Activation(name, slc=slc, inplace=inplace)
    part, partGrad = apply(module, x.reshape(5, 7), g.reshape(5, 7))

    np.testing.assert_allclose(part.reshape(-1), expected, rtol=1e-6)
    np.testing.assert_allclose(partGrad.reshape(-1), expectedGrad, rtol=1e-6)


def test_takes_words_and_constants():
    for word in formulas:
        constant = getattr(Modules, word)

        assert constant is ActivationType(word)
        assert Activation(word).activation is Activation(constant).activation is constant


@pytest.mark.parametrize("name, args", [
    ("leakyRelu", (0.01,)), ("elu", (1.0,)), ("clip", (0.0, 6.0)), ("relu", ()),
])
def test_default_arguments(name, args):
    assert Activation(name).actArgs == args


@pytest.mark.parametrize("name, args, message", [
    ("gauss", (), "activation must be one of sigmoid, tanh, relu, .*, got gauss"),
    (None, (), "got None"),
    ("relu", (1.0,), "relu takes 0 numbers, got"),
    ("clip", (1.0,), "clip takes 2 numbers, got"),
    ("clip", (1.0, 1.0), "clip needs low < high, got"),
    ("clip", (np.nan, 1.0), "clip needs low < high, got"),
    ("elu", (-1.0,), "elu needs .*, got -1.0"),
    ("leakyRelu", (-0.1,), "leakyRelu needs .*, got -0.1"),
    ("leakyRelu", (np.nan,), "leakyRelu needs .*, got nan"),
])
def test_refuses_bad_arguments(name, args, message):
    with pytest.raises(ModuleError, match=message):
        Activation(name, args=args)


def test_in_place_is_refused_behind_a_module_whose_gradient_needs_its_output():
    net = Sequential(name="net").append(Activation("tanh", name="first"))

    with pytest.raises(ContainerError, match="'second'.* overwrite the output of .*'first'"):
        net.append(Activation("relu", inplace=True, name="second"))
