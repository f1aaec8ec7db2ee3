"""minidl.Functional beside PyTorch's functions and autograd."""

import numpy as np
import pytest

from minidl import Functional
from tests.BatchNormReference import Problem, assertClose, cases, onDevice

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

shapes = [(4, 3), (64, 70), (3, 5, 7), (1, 3, 9), (2, 3, 4, 5), (8, 16, 7, 7), (2, 3, 2, 3, 4)]
everyShape = pytest.mark.parametrize("shape", shapes, ids=str)
everyType = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def leaves(*arrays):
    return [torch.from_numpy(array).clone().requires_grad_() for array in arrays]


def close(actual, expected, dtype, factor=4, size=1e-3):
    assertClose(actual, expected.detach().numpy(), dtype, factor, size)


@everyType
@everyShape
def test_train(shape, dtype, rng):  # T3 to T8
    axes = (0, *range(2, len(shape)))
    problem = Problem(rng, shape, axes, dtype)
    x, g, scale, bias, mean, var = onDevice(
        problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)
    data, weight, offset = leaves(problem.x, problem.scale, problem.bias)
    runningMean, runningVar = map(torch.from_numpy, (problem.mean.copy(), problem.var.copy()))

    out, *saved, newMean, newVar = Functional.batchNormTrain(
        x, scale, bias, "spatial", 1e-5, 0.3, mean, var)
    grads = Functional.batchNormBackward(x, g, scale, *saved, "spatial", 1e-5)
    expected = torch.nn.functional.batch_norm(
        data, runningMean, runningVar, weight, offset, training=True, momentum=0.3, eps=1e-5)
    expected.backward(torch.from_numpy(problem.g))

    close(out, expected, dtype)
    close(newMean, runningMean, dtype)
    close(newVar, runningVar, dtype)
    for grad, leaf in zip(grads, (data, weight, offset), strict=True):
        close(grad, leaf.grad, dtype, size=problem.trained().gradSize)


@everyType
@everyShape
def test_infer(shape, dtype, rng):  # X16
    axes = (0, *range(2, len(shape)))
    problem = Problem(rng, shape, axes, dtype)
    x, g, scale, bias, mean, var = onDevice(
        problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)
    data, weight, offset = leaves(problem.x, problem.scale, problem.bias)

    out = Functional.batchNormInfer(x, scale, bias, mean, var)
    grads = Functional.batchNormInferBackward(x, g, scale, mean, var, "spatial", 1e-5)
    expected = torch.nn.functional.batch_norm(
        data, torch.from_numpy(problem.mean), torch.from_numpy(problem.var), weight, offset)
    expected.backward(torch.from_numpy(problem.g))

    close(out, expected, dtype)
    for grad, leaf in zip(grads, (data, weight, offset), strict=False):
        close(grad, leaf.grad, dtype)


@everyType
@pytest.mark.parametrize("shape, axes", cases, ids=str)
def test_any_axes_beside_autograd(shape, axes, dtype, rng):
    problem = Problem(rng, shape, axes, dtype, full=True)
    x, g, *small = onDevice(
        problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)
    scale, bias, mean, var = small
    data, weight, offset, center, spread = leaves(
        problem.x, problem.scale, problem.bias, problem.mean, problem.var)
    grad = torch.from_numpy(problem.g)

    out, *saved = Functional.batchNormTrain(x, scale, bias, axes)
    grads = Functional.batchNormBackward(x, g, scale, *saved, axes, 1e-5)
    own = data.var(axes, correction=0, keepdim=True), data.mean(axes, keepdim=True)
    expected = (data - own[1]) / torch.sqrt(own[0] + 1e-5) * weight + offset
    expected.backward(grad)
    close(out, expected, dtype)
    for found, leaf in zip(grads, (data, weight, offset), strict=True):
        close(found, leaf.grad, dtype, 8, size=problem.trained().gradSize)
        leaf.grad = None

    out = Functional.batchNormInfer(x, *small, axes)
    grads = Functional.batchNormInferBackward(x, g, scale, mean, var, axes, 1e-5)
    expected = (data - center) / torch.sqrt(spread + 1e-5) * weight + offset
    expected.backward(grad)
    close(out, expected, dtype)
    for found, leaf in zip(grads, (data, weight, offset, center, spread), strict=True):
        close(found, leaf.grad, dtype)
