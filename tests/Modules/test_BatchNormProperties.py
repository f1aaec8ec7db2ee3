"""What holds for batch normalization of any data, in float64, alone and with a relu behind it."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNormAxes
from tests.BatchNormReference import Reference, randomCases

scale, bias = 1.7, 0.3
withRelu = pytest.mark.parametrize("relu", [False, True], ids=["alone", "relu"])


def train(x, axes, g, relu=False, scale=scale, **options):
    """The results of a step, by name."""
    norm = BatchNormAxes(x.shape, axes, **options)
    net = Sequential().append(norm)
    if relu:
        net.append(Activation("relu"))
    net.calcMode(np.float64)
    norm.scale.fill(scale)
    norm.bias.fill(bias)

    out = net(gpuarray.to_gpu(x)).get()
    net.backward(gpuarray.to_gpu(g))

    return {"out": out, "mean": norm.savemean.get(), "invStd": norm.saveinvvar.get(),
            "grad": net.grad.get(), "scaleGrad": norm.getVar("scale").grad.get(),
            "biasGrad": norm.getVar("bias").grad.get()}


def compare(found, expected, atol):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=atol, err_msg=name)


@withRelu
def test_every_step_is_as_the_formulas_say(relu, rng):
    for x, g, axes in randomCases(rng):
        found = train(x, axes, g, relu)

        passes = Reference(x, axes, scale, bias).out > 0 if relu else 1
        expected = Reference(x, axes, scale, bias, g * passes)
        compare(found, {"out": expected.out * passes, "mean": expected.mean,
                        "invStd": expected.invStd, "grad": expected.grad,
                        "scaleGrad": expected.scaleGrad, "biasGrad": expected.biasGrad},
                atol=1e-12 * expected.invStd.max() * x.size)


@withRelu
def test_sums_of_the_gradient(relu, rng):  # X12
    for x, g, axes in randomCases(rng):
        found = train(x, axes, g, relu)

        xHat, invStd = Reference(x, axes, 1).out, found["invStd"]
        atol = 1e-11 * invStd.max() * x.size
        np.testing.assert_allclose(found["grad"].sum(axes), 0, atol=atol)
        np.testing.assert_allclose((found["grad"] * xHat).sum(axes, keepdims=True),
                                   scale * invStd * found["scaleGrad"] * 1e-5 * invStd ** 2,
                                   atol=atol)


@withRelu
def test_what_is_added_to_a_channel_moves_its_mean_only(relu, rng):
    for x, g, axes in randomCases(rng):
        plain = train(x, axes, g, relu)
        shift = rng.uniform(-50, 50, plain["mean"].shape)

        moved = train(x + shift, axes, g, relu)

        compare(moved, dict(plain, mean=plain["mean"] + shift), 1e-11 * plain["invStd"].max() ** 2)


@withRelu
def test_what_multiplies_the_data_divides_their_gradient(relu, rng):
    for x, g, axes in randomCases(rng):
        factor = rng.uniform(1, 4)
        plain = train(x, axes, g, relu)

        wide = train(x * factor, axes, g, relu, epsilon=1e-5 * factor ** 2)

        compare(wide, dict(plain, mean=plain["mean"] * factor, invStd=plain["invStd"] / factor,
                           grad=plain["grad"] / factor), 1e-11 * plain["invStd"].max() ** 2)


@pytest.mark.parametrize("times", [0, -1, 0.5, 1e3])
def test_gradient_is_proportional_to_the_scale(times, rng):  # X13
    for x, g, axes in randomCases(rng, 50):
        plain = train(x, axes, g)

        scaled = train(x, axes, g, scale=times * scale)

        out = bias + times * (plain["out"] - bias)
        compare(scaled, dict(plain, out=out, grad=times * plain["grad"]),
                1e-12 * max(abs(times), 1) * plain["invStd"].max() * x.size)


def test_running_statistics_average_those_of_the_batches(rng):  # P6, T7, A12
    for x, _, axes in randomCases(rng):
        module = BatchNormAxes(x.shape, axes, initFactor=1, minFactor=0)
        module.calcMode(np.float64)
        batches = [x, 2 * x + 1, 5 - x]

        for batch in batches:
            module(gpuarray.to_gpu(batch))

        for found, expected in [
                (module.mean, np.mean([each.mean(axes) for each in batches], axis=0)),
                (module.var, np.mean([each.var(axes, ddof=1) for each in batches], axis=0))]:
            np.testing.assert_allclose(found.get().ravel(), expected.ravel(), 1e-12, 1e-12)
