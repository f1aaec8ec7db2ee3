"""Convolutions and pools of all ways give the same bits for any number of threads."""

import numpy as np
import pytest

from minidl import Config
from tests.Case import run
from tests.LargeCases import largeConvs, largeMaps

modes = {"fast": (np.float32, False), "exact": (np.float32, True), "double": (np.float64, True)}


@pytest.mark.parametrize("case", [*largeConvs, *largeMaps], ids=repr)
@pytest.mark.parametrize("dtype, exact", modes.values(), ids=modes.keys())
def test_same_bits_for_any_number_of_threads(case, dtype, exact, rng, device, monkeypatch):
    monkeypatch.setattr(Config, "exactConvolution", exact)
    module = case.make(rng)
    module.calcMode(dtype)
    data, results = case.data(rng).astype(dtype), []

    for threads in (1, 2, 3, 5):
        device.setThreads(threads)
        results.append([array.tobytes() for array in run(module, data)])

    assert all(result == results[0] for result in results)


def test_the_convolutions_here_go_all_ways_that_there_are(rng, device):
    taken, conv = set(), device.conv
    for case in largeConvs:
        g = case.make(rng).geometry(case.shape)
        for dtype, exact in modes.values():
            dtype = np.dtype(dtype)
            for plan in (conv.gatherPlan(g, False, dtype, exact),
                         conv.gatherPlan(g, True, dtype, exact),
                         conv.filterGradPlan(g, dtype, exact)):
                taken |= {f"{name}_{dtype.char}" for name in (plan.work, plan.filters) if name}

    assert taken == set(conv.launch)
