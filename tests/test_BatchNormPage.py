"""The numbers that docs/batchnorm.md gives of each system, beside what its module computes."""

from pathlib import Path

import numpy as np
import pytest

from minidl import Functional
from minidl.Backend import gpuarray
from minidl.BatchNormFrom import fromKeras, fromLasagne, fromMxnet, fromTorch
from minidl.Modules import BatchNorm
from tests.BatchNormPeer import torchs

page = (Path(__file__).parents[1] / "docs/batchnorm.md").read_text()
header, _, *rows = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in page.split("## The numbers")[1].split("## ")[0].splitlines() if line[:1] == "|"]

zero, one, example = np.zeros(6), np.ones(6), np.arange(18.0).reshape(3, 6)
oneAtZero = np.zeros((3, 6))
oneAtZero[0, 0] = 1
modules = {
    "PuzzleLib, minidl": lambda: BatchNorm(6, sscale=0),
    "PyTorch": lambda: fromTorch(torchs(6), 0),
    "Lasagne": lambda: fromLasagne(zero, one, zero, one, (None, 6)),
    "MXNet": lambda: fromMxnet({"bn_gamma": one, "bn_beta": zero},
                               {"bn_moving_mean": zero, "bn_moving_var": one}, "bn", 0),
    "Keras": lambda: fromKeras([one, zero, zero, one], 0),
}


def column(name):
    """The numbers of a column, from top to bottom."""
    return [float(row[header.index(name)].split()[-1]) for row in rows]


def assertAre(arrays, name):
    found = [array.get().ravel()[0] for array in arrays]
    np.testing.assert_allclose(found, column(name), rtol=0, atol=6e-10)


@pytest.mark.parametrize("name", modules)
def test_modules_have_the_numbers(name):
    module = modules[name]()
    module.calcMode(np.float64)

    y = module(gpuarray.to_gpu(example))
    module.backward(gpuarray.to_gpu(oneAtZero))

    scaleGrad = module.getVar("scale").grad
    assertAre([y, module.saveinvvar, module.mean, module.var, scaleGrad, module.grad], name)


def test_functions_have_aesaras_numbers():
    data, grad, scale, bias = map(gpuarray.to_gpu, (example, oneAtZero, one, zero))

    out, mean, invStd, newMean, newVar = Functional.batchNormTrain(
        data, scale, bias, "per-activation", 1e-4, 0.1, bias, scale)
    ingrad, scaleGrad, _ = Functional.batchNormBackward(
        data, grad, scale, mean, invStd, "per-activation", 1e-4)

    assertAre([out, invStd, newMean, newVar, scaleGrad, ingrad], "Aesara")
