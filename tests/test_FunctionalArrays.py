"""What minidl.Functional does with the arrays that it is given: none changes but `out`."""

import numpy as np
import pytest

from minidl import Functional
from minidl.Backend import gpuarray
from tests.BatchNormReference import Problem, assertClose, onDevice


@pytest.mark.parametrize("shape, axes, full", [
    ((4, 3, 5, 2), (0, 2), (1, 3, 1, 2)), ((4, 3, 5), (0, 2), (1, 3, 1)), ((4, 3), (0,), (1, 3))])
def test_nothing_that_is_given_changes(shape, axes, full, rng):  # A18, X17, K7
    problem = Problem(rng, shape, axes)
    given = onDevice(problem.x, problem.g, problem.scale, problem.bias, problem.mean, problem.var)
    before = [array.get().tobytes() for array in given]
    x, g, scale, bias, mean, var = given

    full = [array.reshape(full) for array in (scale, bias, mean, var)]
    Functional.batchNormTrain(x, scale, bias, axes, 1e-5, 0.5, mean, var)
    Functional.batchNormInfer(x, scale, bias, mean, var, axes)
    Functional.batchNormBackward(x, g, scale, mean, var, axes, 1e-5)
    Functional.batchNormInferBackward(x, g, scale, mean, var, axes, 1e-5)
    Functional.batchNormalization(x, *full)
    Functional.batchNormalizationBackward(x, g, full[0], *full[2:])

    assert [array.get().tobytes() for array in given] == before


@pytest.mark.parametrize("shape, axes", [((4, 3, 5), (0, 2)), ((4, 3, 5), (1,)), ((4, 3), (0,))])
@pytest.mark.parametrize("place", ["new", "data", "strided"])
def test_out_is_written_to(shape, axes, place, rng):
    problem = Problem(rng, shape, axes)
    x, *small = onDevice(problem.x, problem.scale, problem.bias, problem.mean, problem.var)
    big = gpuarray.empty((*shape, 2), np.float32).fill(7)
    out = {"new": gpuarray.empty(shape, np.float32), "data": x, "strided": big[..., 1]}[place]

    result = Functional.batchNormInfer(x, *small, axes, out=out)

    assert result is out
    assertClose(out, problem.inferred().out, np.float32)
    if place == "strided":
        assert (big.get()[..., 0] == 7).all()


@pytest.mark.parametrize("axes", [(0, 2), (1,), (2,)])
def test_arrays_with_gaps_are_as_good_as_their_copies(axes, rng):
    problem = Problem(rng, (5, 3, 4), axes)
    x, g = (gpuarray.to_gpu(np.ascontiguousarray(array.T)).transpose((2, 1, 0))
            for array in (problem.x, problem.g))
    small = []
    for array in onDevice(problem.scale, problem.bias, problem.mean, problem.var):
        wide = gpuarray.empty((*array.shape, 2), np.float32)
        wide[..., 1] = array
        small.append(wide[..., 1])
    scale, bias, mean, var = small

    inferred, trained = problem.inferred(), problem.trained()
    assertClose(Functional.batchNormInfer(x, *small, axes), inferred.out, np.float32)
    grads = Functional.batchNormInferBackward(x, g, scale, mean, var, axes, 1e-5)
    assertClose(grads[0], inferred.grad, np.float32)
    assertClose(grads[4], inferred.varGrad, np.float32, 4)
    out, *saved = Functional.batchNormTrain(x, scale, bias, axes)
    assertClose(out, trained.out, np.float32)
    grads = Functional.batchNormBackward(x, g, scale, *saved, axes, 1e-5)
    assertClose(grads[0], trained.grad, np.float32, 4)
