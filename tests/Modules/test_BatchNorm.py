"""The form for vectors: its document's example and constructor. The rest: test_BatchNormND.py."""

import inspect

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, ModuleError

example = np.arange(18, dtype=np.float32).reshape(3, 6)


def trained(dtype=np.float32, **arguments):
    """(module, its output) after the example."""
    module = BatchNorm(6, **arguments)
    module.calcMode(dtype)
    return module, module(gpuarray.to_gpu(example.astype(dtype))).get()


def test_example_gives_mean_and_unbiased_variance():
    module, _ = trained()

    assert np.array_equal(module.mean.get(), np.arange(6, 12).reshape(1, 6, 1, 1))
    assert np.array_equal(module.var.get(), np.full((1, 6, 1, 1), 36))
    assert module.numOfProps == 1


def test_example_is_normalized_by_the_biased_variance():
    module, y = trained()

    scale = module.scale.get().reshape(6)
    assert y.shape == example.shape and module.data.shape == example.shape
    assert (y[1] == 0).all()
    assert np.array_equal(y[0], -y[2])
    np.testing.assert_allclose(y[2], scale * 6 / np.sqrt(24 + 1e-5), rtol=1e-6)


def test_example_to_nine_digits():
    module, y = trained(np.float64, sscale=0)
    dy = np.zeros((3, 6))
    dy[0] = 1

    module.backward(gpuarray.to_gpu(dy))

    assert y[0, 0] == pytest.approx(-1.224744616, abs=5e-10)
    np.testing.assert_allclose(
        module.grad.get()[:, 0], [0.034020726, -0.068041368, 0.034020641], rtol=0, atol=5e-10)
    np.testing.assert_allclose(module.getVar("scale").grad.get(), -1.224744616, atol=5e-10)
    np.testing.assert_allclose(module.getVar("bias").grad.get(), 1, atol=5e-10)


def test_statistics_print_as_numpys_arrays_do():
    module, _ = trained()

    assert str(module.mean) == str(module.mean.get())
    assert str(module.mean).startswith("[[[[ 6.]]")
    assert repr(module.var) == repr(module.var.get())


def test_constructor_takes_its_arguments_in_order():
    *parameters, options = inspect.signature(BatchNorm).parameters.items()
    parameters = dict(parameters)

    assert options[1].kind is inspect.Parameter.VAR_KEYWORD
    assert {name: each.default for name, each in parameters.items()} == {
        "size": inspect.Parameter.empty, "epsilon": 1e-5, "initFactor": 1.0, "minFactor": 0.1,
        "sscale": 0.01, "affine": True, "name": None, "empty": False, "inplace": False}
    assert list(parameters) == ["size", "epsilon", "initFactor", "minFactor", "sscale", "affine",
                                "name", "empty", "inplace"]


def test_starts_as_document_says():
    module = BatchNorm(5)

    for name in ("scale", "bias", "mean", "var"):
        assert getattr(module, name).shape == (1, 5, 1, 1)
    assert (module.bias.get() == 0).all()
    assert (module.mean.get() == 0).all()
    assert (module.var.get() == 1).all()
    assert module.train and module.numOfProps == 0


def test_scale_starts_as_normal_around_one():
    scale = BatchNorm(20000).scale.get()

    assert abs(scale.mean() - 1) < 3.5e-4
    assert abs(scale.std() - 0.01) < 2.5e-4


def test_numpys_seed_repeats_the_scale():
    np.random.seed(3)
    first = BatchNorm(5).scale.get()
    np.random.seed(3)

    assert np.array_equal(BatchNorm(5).scale.get(), first)


def test_scale_is_exactly_one_without_deviation():
    assert (BatchNorm(5, sscale=0).scale.get() == 1).all()


def test_without_affine_nothing_is_trained():
    module, y = trained(affine=False)
    module.backward(gpuarray.to_gpu(example))

    assert module.vars == {} and module.numOfParams() == 0
    assert (module.scale.get() == 1).all() and (module.bias.get() == 0).all()
    np.testing.assert_allclose(y, (example - example.mean(0)) / np.sqrt(24 + 1e-5), rtol=1e-6)


def test_name_stands_in_errors():
    with pytest.raises(ModuleError, match="^BatchNorm 'bn1': data must have 2 axes and 6 maps"):
        BatchNorm(6, name="bn1")(gpuarray.to_gpu(np.ones((3, 6, 2), np.float32)))


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_refuses_a_size_that_is_no_positive_integer(size):
    with pytest.raises(ModuleError, match=f"must be a positive integer, got {size}"):
        BatchNorm(size)


def test_needs_a_size():
    with pytest.raises(TypeError):
        BatchNorm()
