"""Kernels/Cpu/BatchNormInfer.cpp held to the plain text, Kernels/BatchNormInfer.cu."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import BatchNormInfer
from tests.BatchNormTwins import (
    check,
    draw,
    everyRamp,
    everyReal,
    everyRun,
    plainKernels,
    ramps,
    streamed,
)

everyForm = pytest.mark.parametrize(
    "form", [BatchNormInfer.variance, BatchNormInfer.deviation, BatchNormInfer.inverse])
bothWays = pytest.mark.parametrize("inPlace", [False, True])


@pytest.fixture(scope="module")
def plain():
    return plainKernels("BatchNormInfer")


def results(runs, values, ramp="none", adds=False, inPlace=False, form=BatchNormInfer.variance):
    """The output and all gradients, as host arrays."""
    data, added, grad, scale, bias = map(gpuarray.to_gpu, values)
    mean, spread = bias.copy(), gpuarray.to_gpu(np.abs(values[3]) + values[3].dtype.type(0.5))

    grads = BatchNormInfer.inferBackward(
        data, grad, scale, mean, spread, 1e-5, form=form, runs=runs)
    out = BatchNormInfer.infer(
        data, scale, bias, mean, spread, 1e-5, out=data if inPlace else None, form=form, runs=runs,
        ramp=ramps[ramp], added=added if adds else None)
    return [array.get() for array in (out, *grads)]


def compare(monkeypatch, plain, runs, values, **options):
    found = results(runs, values, **options)
    monkeypatch.setattr(BatchNormInfer, "kernels", plain)
    check(found, results(runs, values, **options))


@everyRun
@everyReal
@bothWays
def test_every_way_to_walk_gives_what_the_plain_text_gives(
        runs, dtype, inPlace, plain, monkeypatch, rng):
    compare(monkeypatch, plain, runs, draw(rng, runs, dtype), inPlace=inPlace)


@everyRamp
@everyForm
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("runs", [(40, 130, 1), (9, 5, 7), (6, 17, 196), (1, 2, 8193)])
def test_ramps_and_forms_are_alike(runs, ramp, form, adds, plain, monkeypatch, rng):
    values = draw(rng, runs, np.float32)
    compare(monkeypatch, plain, runs, values, ramp=ramp, form=form, adds=adds)


@pytest.mark.parametrize("runs", streamed)
@bothWays
def test_large_tensors_come_out_whole(runs, inPlace, plain, monkeypatch, rng):
    compare(monkeypatch, plain, runs, draw(rng, runs, np.float32), inPlace=inPlace)


@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("runs", [(40, 130, 1), (9, 5, 7), (6, 5, 196)])
def test_nan_and_infinity_spoil_what_they_spoil_in_the_plain_text(
        runs, special, plain, monkeypatch, rng):
    values = draw(rng, runs, np.float32)
    values[0][0, 1, 0] = values[2][-1, 2, -1] = special

    compare(monkeypatch, plain, runs, values, ramp="relu")
