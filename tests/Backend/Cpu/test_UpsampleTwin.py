"""Kernels/Cpu/Upsample.cpp held to the plain text, Kernels/Upsample.cu."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Upsample
from tests.BatchNormTwins import check, everyReal, plainKernels

everyShape = pytest.mark.parametrize("shape, scale", [
    ((2, 3, 5, 7), (2, 2)), ((1, 1, 1, 1), (3, 2)), ((3, 2, 1, 19), (1, 2)),
    ((2, 1, 33, 1), (2, 5)), ((1, 70, 4, 35), (3, 1)), ((2, 2, 3, 4, 17), (2, 2, 2)),
    ((1, 3, 2, 1, 9), (1, 4, 3)), ((2, 1, 5, 6, 40), (3, 2, 1))], ids=str)


def results(shape, scale, mode, dtype):
    """The output and the gradient, as host arrays."""
    rng = np.random.default_rng(0)
    ahead, back = {"nearest": (Upsample.nearest, Upsample.nearestBackward),
                   "linear": (Upsample.linear, Upsample.linearBackward)}[mode]
    out = ahead(gpuarray.to_gpu(rng.standard_normal(shape).astype(dtype)), scale)
    grad = gpuarray.to_gpu(rng.standard_normal(out.shape).astype(dtype))
    return [out.get(), back(grad, scale).get()]


@everyReal
@everyShape
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_results_are_those_of_the_plain_text(shape, scale, mode, dtype, monkeypatch):
    found = results(shape, scale, mode, dtype)
    monkeypatch.setattr(Upsample, "kernels", plainKernels("Upsample"))
    check(found, results(shape, scale, mode, dtype))


@everyShape
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_bits_do_not_depend_on_threads(shape, scale, mode, device):
    found = []
    for threads in (1, 2, 3):
        device.setThreads(threads)
        found.append([array.tobytes() for array in results(shape, scale, mode, np.float32)])
    assert found[0] == found[1] == found[2]
