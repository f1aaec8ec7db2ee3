import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, Linear, ModuleError


def onDevice(array):
    return gpuarray.to_gpu(np.asarray(array, np.float32))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("useBias", [False, True])
@pytest.mark.parametrize("batch, insize, outsize", [
    (1, 1, 1), (3, 5, 4), (1, 7, 300), (2, 70, 257), (17, 1, 31), (129, 67, 33), (256, 300, 10),
])
def test_is_an_affine_map(batch, insize, outsize, useBias, transpose, rng):
    module = Linear(insize, outsize, useBias=useBias, transpose=transpose)
    x = rng.standard_normal((batch, insize)).astype(np.float32)
    if useBias:
        module.b.set(rng.standard_normal(outsize).astype(np.float32))

    y = module(onDevice(x)).get()

    W = module.W.get().astype(np.float64)
    expected = x @ (W.T if transpose else W) + (module.b.get() if useBias else 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_shapes_of_parameters():
    assert Linear(5, 3).W.shape == (5, 3)
    assert Linear(5, 3).b.shape == (3,)
    assert Linear(5, 3, transpose=True).W.shape == (3, 5)
    assert Linear(5, 3, transpose=True).b.shape == (3,)
    assert Linear(5, 3, useBias=False).b is None


def test_counts_its_parameters():
    module = Linear(50, 30)

    assert module.numOfParams() == 50 * 30 + 30
    assert module.paramSize() == 4 * (50 * 30 + 30)
    assert module.paramSize("kb") == module.paramSize() / 1024
    assert module.paramSize("mb") == module.paramSize() / 1024 ** 2


def test_bias_starts_at_zero_and_gradients_too():
    module = Linear(5, 3)

    assert (module.b.get() == 0).all()
    assert all((var.grad.get() == 0).all() for var in module.vars.values())


# Linear(400, 900) has 400 inputs and 900 outputs a neuron; 360,000 draws fix a deviation to 0.3 %.
schemes = [
    (None, "uniform", np.sqrt(3 / 400)),
    ("xavier_uniform", "uniform", np.sqrt(3 / 400)),
    (("xavier_uniform", "in"), "uniform", np.sqrt(3 / 400)),
    (("xavier_uniform", "out"), "uniform", np.sqrt(3 / 900)),
    (("xavier_uniform", "avg"), "uniform", np.sqrt(3 / 650)),
    ("uniform", "uniform", 0.25),
    ("xavier", "normal", np.sqrt(1 / 400)),
    ("xavier_normal", "normal", np.sqrt(1 / 400)),
    (("xavier", "out"), "normal", np.sqrt(1 / 900)),
    ("he", "normal", np.sqrt(2 / 400)),
    (("he", "avg"), "normal", np.sqrt(2 / 650)),
    ("gaussian", "normal", 0.25),
]


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("scheme, form, size", schemes)
def test_initial_weights_have_their_distribution(scheme, form, size, transpose):
    W = Linear(400, 900, wscale=0.25, initscheme=scheme, transpose=transpose).W.get()

    deviation, kurtosis = (size / np.sqrt(3), 1.8) if form == "uniform" else (size, 3.0)
    assert abs(W.mean()) < 0.01 * deviation
    assert W.std() == pytest.approx(deviation, rel=0.01)
    assert (W ** 4).mean() / (W ** 2).mean() ** 2 == pytest.approx(kurtosis, rel=0.03)
    assert form == "normal" or np.abs(W).max() <= size * (1 + 1e-6)


def test_numpys_seed_repeats_the_weights():
    np.random.seed(3)
    first = Linear(5, 4).W.get()
    np.random.seed(3)
    second = Linear(5, 4).W.get()
    third = Linear(5, 4).W.get()

    assert np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_scheme_none_makes_a_variable_without_values():
    assert Linear(5, 4, initscheme="none").getVar("W").data.shape == (5, 4)


@pytest.mark.parametrize("scheme, message", [
    ("xavierr", "xavierr"), (("he", "inn"), "in, out or avg, got inn"),
])
def test_refuses_an_unknown_scheme(scheme, message):
    with pytest.raises(ValueError, match=message):
        Linear(5, 4, initscheme=scheme)


@pytest.mark.parametrize("insize, outsize", [(0, 4), (5, 0), (-1, 4)])
def test_refuses_sizes_below_one(insize, outsize):
    with pytest.raises(ModuleError, match=f"positive, got {insize} and {outsize}"):
        Linear(insize, outsize)


def test_empty_has_no_variables_and_says_so_when_called():
    module = Linear(5, 4, empty=True, name="decoder")

    assert module.vars == {} and module.W is None and module.b is None
    with pytest.raises(ModuleError, match="Linear 'decoder': has no weights: set them with setVar"):
        module(onDevice(np.ones((2, 5))))


def test_names_a_variable_that_is_not_there():
    with pytest.raises(ModuleError, match="Linear: there is no variable w, only W, b"):
        Linear(5, 4).getVar("w")


def test_tied_weights_get_the_gradients_of_both_modules(rng):
    encoder, decoder = Linear(5, 3, name="encoder"), Linear(3, 5, useBias=False, empty=True,
                                                            transpose=True, name="decoder")
    decoder.setVar("W", encoder.getVar("W"))
    net = Sequential().append(encoder).append(Activation("tanh")).append(decoder)
    x, g = rng.standard_normal((2, 4, 5))

    y = net(onDevice(x)).get()
    net.zeroGradParams()
    net.backward(onDevice(g))

    W, hidden = encoder.W.get(), np.tanh(x @ encoder.W.get())
    np.testing.assert_allclose(y, hidden @ W.T, rtol=1e-5, atol=1e-6)
    expected = g.T @ hidden + x.T @ ((g @ W) * (1 - hidden ** 2))
    np.testing.assert_allclose(encoder.getVar("W").grad.get(), expected, rtol=1e-4, atol=1e-5)
    assert net.numOfParams() == 5 * 3 + 3


def test_tied_weights_stay_tied_in_another_dtype(rng):
    first, second = Linear(5, 3), Linear(5, 3, empty=True, useBias=False)
    second.setVar("W", first.getVar("W"))
    net = Sequential().append(first).append(Linear(3, 5)).append(second)

    net.calcMode(np.float64)

    assert first.W is second.W is first.getVar("W").data
    assert first.W.dtype == np.float64


def test_bias_gradient_is_the_sum_over_the_batch(rng):
    module, g = Linear(5, 130), rng.standard_normal((77, 130)).astype(np.float32)

    module(onDevice(rng.standard_normal((77, 5))))
    module.backward(onDevice(g))

    expected = g.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(module.getVar("b").grad.get(), expected, rtol=1e-5, atol=1e-5)


def test_infinite_inputs_reach_the_outputs_they_belong_to(rng):
    module = Linear(3, 4)
    module.W.set(np.abs(module.W.get()) + 0.1)
    x = np.ones((2, 3), np.float32)
    x[1, 2] = np.inf

    y = module(onDevice(x)).get()

    assert np.isfinite(y[0]).all() and (y[1] == np.inf).all()
