"""Kernels/Cpu/BatchNorm.cpp held to the plain text, Kernels/BatchNorm.cu."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import BatchNorm
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


@pytest.fixture(scope="module")
def plain():
    return plainKernels("BatchNorm")


def results(runs, values, ramp="none", adds=False, factor=0.25):
    """All that training and its gradient find, as host arrays."""
    data, added, grad, scale, bias = map(gpuarray.to_gpu, values)
    mean, var = gpuarray.zeros(runs[1], data.dtype), gpuarray.zeros(runs[1], data.dtype) + 1
    options = {"runs": runs, "ramp": ramps[ramp]}
    out, *statistics = BatchNorm.train(
        data, scale, bias, 1e-5, mean, var, factor, added=added if adds else None, **options)
    grads = BatchNorm.backward(
        data, grad, scale, bias, *statistics, out=out if adds else None, **options)
    arrays = [out, *statistics, mean, var, *grads]
    return [array.get() for array in arrays if array is not None]


def compare(monkeypatch, plain, runs, values, **options):
    found = results(runs, values, **options)
    monkeypatch.setattr(BatchNorm, "kernels", plain)
    check(found, results(runs, values, **options))


@everyRun
@everyReal
@pytest.mark.parametrize("adds", [False, True])
def test_every_way_to_walk_gives_what_the_plain_text_gives(
        runs, dtype, adds, plain, monkeypatch, rng):
    compare(monkeypatch, plain, runs, draw(rng, runs, dtype), adds=adds)


@everyRamp
@everyReal
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("runs", [(40, 130, 1), (9, 5, 7), (6, 17, 196), (1, 2, 8193)])
def test_ramps_bend_alike(runs, ramp, dtype, adds, plain, monkeypatch, rng):
    values = draw(rng, runs, dtype)
    # No value may stand so near a bend that rounding decides on which side.
    values[0], values[1] = np.round(values[0]), np.round(values[1])
    compare(monkeypatch, plain, runs, values, ramp=ramp, adds=adds)


@pytest.mark.parametrize("runs", streamed)
@pytest.mark.parametrize("adds", [False, True])
def test_large_tensors_come_out_whole(runs, adds, plain, monkeypatch, rng):
    compare(monkeypatch, plain, runs, draw(rng, runs, np.float32), adds=adds)


@everyRun
def test_statistics_are_those_of_float64(runs, rng):
    values = draw(rng, runs, np.float32)
    values[0] += 1000

    _, mean, invStd, *_ = results(runs, values)

    exact = values[0].astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 2)), rtol=2e-7)
    np.testing.assert_allclose(invStd, 1 / np.sqrt(exact.var((0, 2)) + 1e-5), rtol=2e-5)


@pytest.mark.parametrize(
    "runs", [(40, 130, 1), (1030, 5, 1), (9, 5, 7), (6, 5, 196), (1, 3, 90001)])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, -1])
def test_nan_and_infinity_spoil_what_they_spoil_in_the_plain_text(
        runs, special, place, plain, monkeypatch, rng):
    values = draw(rng, runs, np.float32)
    values[0][place, 1, place] = special

    compare(monkeypatch, plain, runs, values, ramp="relu")


@pytest.mark.parametrize("runs", [(1030, 70, 1), (600, 2, 15), (6, 17, 196), (1, 1, 100003)])
def test_bits_are_the_same_for_any_number_of_threads(runs, device, rng):
    values, found = draw(rng, runs, np.float32), []
    for threads in (1, 2, 3):
        device.setThreads(threads)
        found.append(results(runs, values, ramp="relu"))

    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("runs", [(40, 130, 1), (9, 5, 7), (6, 5, 196)])
def test_factor_zero_leaves_the_running_statistics_alone(runs, rng):
    _, _, _, mean, var, *_ = results(runs, draw(rng, runs, np.float32), factor=0)

    assert (mean == 0).all() and (var == 1).all()


@pytest.mark.parametrize("runs", [(3, 5, 1), (3, 5, 3), (2, 5, 21), (2, 5, 300)])
def test_nothing_is_written_beside_the_results(runs, rng):
    data, _, grad, scale, bias = map(gpuarray.to_gpu, draw(rng, runs, np.float32))
    mean, var = gpuarray.zeros(5, np.float32), gpuarray.zeros(5, np.float32)
    big = gpuarray.zeros(data.size + 64, np.float32)
    arrays = [data, data, scale, bias, big[32:-32], mean, var, mean, var]

    BatchNorm.kernels.trainMaps(5, *arrays, *runs, 1, 0, 1e-5, 0, *BatchNorm.noRamp)

    assert (big[:32].get() == 0).all() and (big[-32:].get() == 0).all()
    assert (big[32:-32].get() != 0).all()
