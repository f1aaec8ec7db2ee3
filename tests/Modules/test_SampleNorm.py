"""Normalization of each sample by itself: GroupNorm, InstanceNorm2D and LayerNorm."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import GroupNorm, InstanceNorm2D, LayerNorm, ModuleError


def group(groups, shape, **arguments):
    return GroupNorm(groups, shape[1], **arguments), shape, (
        shape[0], groups, shape[1] // groups, *shape[2:]), 2


def instance(shape, **arguments):
    return InstanceNorm2D(shape[1], **arguments), shape, shape, 2


def layer(own, shape, **arguments):
    return LayerNorm(own, **arguments), shape, shape, len(shape) - (
        len(own) if isinstance(own, tuple) else 1)


# (module, shape of data, shape whose axes from `first` on are normalized together, first)
cases = {
    "group of 2 in vectors": lambda **a: group(3, (4, 6), **a),
    "one group": lambda **a: group(1, (3, 5, 7), **a),
    "groups of maps": lambda **a: group(2, (3, 6, 5, 2), **a),
    "a group for each map": lambda **a: group(5, (2, 5, 3, 1, 2), **a),
    "many groups": lambda **a: group(32, (3, 64, 7, 7), **a),
    "one sample": lambda **a: group(3, (1, 33, 13), **a),
    "instances": lambda **a: instance((3, 5, 7, 2), **a),
    "one map": lambda **a: instance((2, 1, 3, 5), **a),
    "many instances": lambda **a: instance((4, 67, 9, 3), **a),
    "layer of vectors": lambda **a: layer(7, (5, 7), **a),
    "layer of sequences": lambda **a: layer(130, (3, 11, 130), **a),
    "layer of several axes": lambda **a: layer((3, 5), (2, 7, 3, 5), **a),
    "layer of images": lambda **a: layer((3, 4, 5), (67, 3, 4, 5), **a),
}
everyCase = pytest.mark.parametrize("make", cases.values(), ids=cases.keys())


def reference(module, x, shape, first):
    """(y, mean, invStd) in float64"""
    x = x.astype(np.float64).reshape(shape)
    axes = tuple(range(first, len(shape)))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    invStd = 1 / np.sqrt(var + module.epsilon)
    return (x - mean) * invStd, mean.ravel(), invStd.ravel()


def setParams(module, x, rng):
    """Random parameters, as arrays that numpy stretches over x."""
    for array in (module.scale, module.bias):
        array.set(rng.standard_normal(array.shape).astype(np.float32))
    shape = module.scale.shape
    if not isinstance(module, LayerNorm):
        shape = (-1,) + (1,) * (x.ndim - 2)
    return module.scale.get().reshape(shape), module.bias.get().reshape(shape)


@everyCase
@pytest.mark.parametrize("train", [True, False])
def test_groups_become_normal_in_every_mode(make, train, rng):
    module, shape, grouped, first = make(epsilon=1e-3)
    x = (rng.standard_normal(shape) * 3 + 5).astype(np.float32)
    scale, bias = setParams(module, x, rng)
    module.trainMode() if train else module.evalMode()

    y = module(gpuarray.to_gpu(x)).get()

    normal, mean, invStd = reference(module, x, grouped, first)
    np.testing.assert_allclose(y, normal.reshape(shape) * scale + bias, 1e-5, 2e-5)
    np.testing.assert_allclose(module.savemean.get(), mean, 1e-5)
    np.testing.assert_allclose(module.saveinvvar.get(), invStd, 1e-5)


@everyCase
def test_without_affine_there_are_no_parameters(make, rng):
    module, shape, grouped, first = make(affine=False)
    x = rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()

    normal, *_ = reference(module, x, grouped, first)
    np.testing.assert_allclose(y, normal.reshape(shape), 1e-5, 2e-5)
    assert module.vars == {} and module.scale is module.bias is None


def test_batch_sizes_may_change(rng):
    module = LayerNorm(5)
    for batch in (3, 7, 2, 7, 1):
        x = rng.standard_normal((batch, 5)).astype(np.float32)
        normal, *_ = reference(module, x, x.shape, 1)
        np.testing.assert_allclose(module(gpuarray.to_gpu(x)).get(), normal, 1e-5, 1e-5)


@pytest.mark.parametrize("updGrad", [True, False])
def test_parameter_gradients_add_up(updGrad, rng):
    module, shape = GroupNorm(2, 4), (3, 4, 5)
    x, g = map(gpuarray.to_gpu, rng.standard_normal((2, *shape)).astype(np.float32))
    module(x)
    module.backward(g)
    once = [module.getVar(name).grad.get() for name in ("scale", "bias")]

    module.backward(g, updGrad=updGrad, scale=2.0, momentum=1.0)

    for name, first in zip(("scale", "bias"), once, strict=True):
        np.testing.assert_allclose(module.getVar(name).grad.get(), 3 * first, 1e-5, 1e-5)
    assert (module.grad is None) == (not updGrad)


def test_large_numbers_do_not_cancel(rng):
    x = rng.standard_normal((4, 6, 5, 7)) + 1e4
    x = x.astype(np.float32)
    for module, axes in ((InstanceNorm2D(6, affine=False), (2, 3)),
                         (LayerNorm((6, 5, 7), affine=False), (1, 2, 3))):
        y = module(gpuarray.to_gpu(x)).get()
        exact = x.astype(np.float64)
        exact = (exact - exact.mean(axes, keepdims=True)) / np.sqrt(
            exact.var(axes, keepdims=True) + 1e-5)
        np.testing.assert_allclose(y, exact, 0, 4 * 2.0 ** -24 * 1e4)


def test_a_group_of_equal_numbers_becomes_the_bias():
    module = LayerNorm(5)
    module.bias.set(np.arange(5, dtype=np.float32))

    y = module(gpuarray.to_gpu(np.full((3, 5), 3.7, np.float32))).get()

    np.testing.assert_allclose(y, np.tile(np.arange(5), (3, 1)), 0, 4 * 3.7 * 2.0 ** -24 * 317)


@pytest.mark.parametrize("make, message", [
    (lambda: GroupNorm(4, 6), "GroupNorm: groups must divide maps, .* got 4 and 6"),
    (lambda: GroupNorm(0, 6), "got 0 and 6"),
    (lambda: GroupNorm(1, 2.5), "got 1 and 2.5"),
    (lambda: InstanceNorm2D(0), "InstanceNorm2D: groups must divide maps"),
    (lambda: LayerNorm(()), r"LayerNorm: shape must be a positive integer or several, got \(\)"),
    (lambda: LayerNorm((3, 0)), r"got \(3, 0\)"),
    (lambda: LayerNorm(0), "got 0"),
    (lambda: LayerNorm(2.5), "got 2.5"),
    (lambda: LayerNorm(3, epsilon=0), "LayerNorm: epsilon must be at least 1e-05, got 0"),
    (lambda: GroupNorm(1, 3, epsilon=np.nan), "epsilon must be at least 1e-05, got nan"),
])
def test_refuses_bad_arguments(make, message):
    with pytest.raises(ModuleError, match=message):
        make()


@pytest.mark.parametrize("module, shape, message", [
    (GroupNorm(2, 4), (3, 6, 5), r"data must have shape \(batch, 4, ...\), got \(3, 6, 5\)"),
    (GroupNorm(2, 4), (4,), r"got \(4,\)"),
    (GroupNorm(4, 4), (3, 4), "2 numbers or more to normalize together, got 1 in shape"),
    (GroupNorm(2, 4), (0, 4, 5), "got 0 in shape"),
    (InstanceNorm2D(4), (3, 4, 5), r"data must have shape \(batch, 4, height, width\)"),
    (InstanceNorm2D(4), (3, 4, 1, 1), "2 numbers or more to normalize together, got 1"),
    (LayerNorm((4, 5)), (3, 5, 4), r"data must have shape \(batch, ..., 4, 5\), got \(3, 5, 4\)"),
    (LayerNorm((4, 5)), (4, 5), r"got \(4, 5\)"),
    (LayerNorm(5), (0, 5), "got 0 in shape"),
])
def test_refuses_bad_shapes(module, shape, message):
    with pytest.raises(ModuleError, match=message):
        module(gpuarray.zeros(shape))
