import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Dropout, Linear, ModuleError
from minidl.Passes import recomputeStats


def build():
    net = Sequential().append(BatchNorm(3, sscale=0)).append(Dropout(0.5)).append(Linear(3, 4))
    return net.append(BatchNorm(4, minFactor=0.5, inplace=False))


def statsOf(net):
    return [array.get() for norm in net.getAllByType(BatchNorm) for array in (norm.mean, norm.var)]


@pytest.mark.parametrize("place", [gpuarray.to_gpu, np.asarray], ids=["device", "host"])
def test_statistics_are_averages_over_the_batches(place, rng):
    net, batches = build(), (rng.standard_normal((5, 8, 3)) * 3 + 2).astype(np.float32)
    for batch in batches[:2]:
        net(gpuarray.to_gpu(batch))

    assert recomputeStats(net, map(place, batches)) == 5

    x = batches.astype(np.float64)
    normal = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    hidden = normal @ net[2].W.get()
    for norm, values in ((net[0], x), (net[3], hidden)):
        np.testing.assert_allclose(norm.mean.get().ravel(), values.mean(1).mean(0), 1e-4, 1e-5)
        np.testing.assert_allclose(
            norm.var.get().ravel(), values.var(1, ddof=1).mean(0), 1e-4, 1e-5)
        assert norm.numOfProps == 5
        assert (norm.initFactor, norm.useAverages, norm.updateAverages) == (1.0, None, None)
    assert [norm.minFactor for norm in (net[0], net[3])] == [0.1, 0.5]


def test_every_module_keeps_its_mode(rng):
    net = build()
    net[0].evalMode()

    recomputeStats(net, [rng.standard_normal((4, 3)).astype(np.float32)])

    assert net.train and net[3].train and not net[0].train


@pytest.mark.parametrize("batches, message", [
    ([], "recomputeStats: Sequential needs one batch or more, got none"),
    ([(4, 3), (4, 2)], "data must have 2 axes and 3 maps"),
    ([(4, 3), (1, 3)], "two or more values a map"),
])
def test_a_refused_batch_leaves_no_trace(batches, message, rng):
    net = build()
    net(gpuarray.to_gpu(rng.standard_normal((4, 3)).astype(np.float32)))
    before = statsOf(net)

    with pytest.raises(ModuleError, match=message):
        recomputeStats(net, [rng.standard_normal(shape).astype(np.float32) for shape in batches])

    for now, then in zip(statsOf(net), before, strict=True):
        assert np.array_equal(now, then)
    assert all(norm.numOfProps == 1 for norm in net.getAllByType(BatchNorm))
    assert net.train and net[3].train
