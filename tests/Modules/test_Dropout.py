import hashlib

import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Backend.Ops.Random import Generator
from minidl.Modules import Dropout, ModuleError
from tests.Processes import run

shares = [0.1, 0.5, 0.75, 0.999]
maskText = """
import hashlib, numpy as np, minidl
from minidl.Backend import gpuarray
from minidl.Modules import Dropout
minidl.seed(5)
ones = gpuarray.to_gpu(np.ones((301, 211), np.float32))
print(hashlib.sha256(Dropout(0.3)(ones).get().tobytes()).hexdigest())
"""


def ones(*shape):
    return gpuarray.to_gpu(np.ones(shape, np.float32))


def mask(*shape, p=0.5):
    return Dropout(p)(ones(*shape)).get()


@pytest.mark.parametrize("p", shares)
@pytest.mark.parametrize("shape", [(1,), (7, 5), (3, 1, 11), (211, 307)])
def test_keeps_and_scales_where_rands_are_below_the_partition(p, shape, rng):
    module, x = Dropout(p), rng.standard_normal(shape).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()
    rands = module.rands.get()

    assert rands.dtype == np.uint32 and rands.ndim == 1 and rands.size >= x.size
    kept = (rands[:x.size] < module.partition).reshape(shape)
    np.testing.assert_allclose(y, np.where(kept, x / (1 - p), 0), rtol=1e-6)


@pytest.mark.parametrize("p", shares)
def test_gradient_passes_where_data_did(p, rng):
    module, (x, g) = Dropout(p), rng.standard_normal((2, 53, 31)).astype(np.float32)

    y = module(gpuarray.to_gpu(x)).get()
    module.backward(gpuarray.to_gpu(g))

    np.testing.assert_allclose(module.grad.get(), np.where(y != 0, g / (1 - p), 0), rtol=1e-6)


@pytest.mark.parametrize("p", shares)
def test_share_and_mean_are_as_expected(p):
    y = mask(1000, 1000, p=p)

    deviation = np.sqrt(p * (1 - p) / y.size)
    assert (y == 0).mean() == pytest.approx(p, abs=5 * deviation)
    assert y.mean() == pytest.approx(1, abs=5 * deviation / (1 - p))


def test_elements_are_dropped_independently_of_their_neighbours():
    kept = mask(1000, 1000) != 0

    for axis in (0, 1):
        together = np.mean(kept == np.roll(kept, 1, axis))
        assert together == pytest.approx(0.5, abs=0.005)


def test_partition_is_the_share_of_all_numbers():
    assert Dropout(0.25).partition == int(0.75 * (2 ** 32 - 1))


def test_p_zero_keeps_every_bit(rng):
    x = rng.standard_normal((211, 307)).astype(np.float32)

    assert np.array_equal(Dropout(0)(gpuarray.to_gpu(x)).get(), x)


def test_every_call_drops_others():
    module, x = Dropout(0.5), ones(100)

    assert not np.array_equal(module(x).get(), module(x).get())


def test_seed_repeats_the_masks():
    minidl.seed(3)
    first = [mask(100), mask(57, 3), mask(100)]
    minidl.seed(3)
    second = [mask(100), mask(57, 3), mask(100)]
    minidl.seed(4)

    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))
    assert not np.array_equal(mask(100), first[0])


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_masks_are_the_same_in_another_process(threads):
    minidl.seed(5)
    expected = hashlib.sha256(mask(301, 211, p=0.3).tobytes()).hexdigest()

    out, _ = run(maskText, OMP_NUM_THREADS=threads)

    assert out.strip() == expected


def test_masks_do_not_depend_on_the_number_of_threads(device):
    masks = []
    for threads in (1, 2, 3, 7):
        device.setThreads(threads)
        minidl.seed(0)
        masks.append(mask(301, 211))

    assert all(np.array_equal(each, masks[0]) for each in masks)


def test_own_generator_leaves_the_global_one_alone():
    minidl.seed(0)
    expected = mask(100)
    minidl.seed(0)

    own = Dropout(0.5, rng=Generator(9))(ones(100)).get()

    assert np.array_equal(Dropout(0.5, rng=Generator(9))(ones(100)).get(), own)
    assert np.array_equal(mask(100), expected)


def test_evaluation_passes_the_very_same_arrays():
    module, data, grad = Dropout(0.5), ones(3, 5), ones(3, 5)
    module.evalMode()

    assert module(data) is data
    module.backward(grad)
    assert module.grad is grad


def test_evaluation_draws_no_numbers():
    module = Dropout(0.5)
    module.evalMode()
    position = gpuarray.globalRng.position

    module(ones(3, 5))

    assert gpuarray.globalRng.position == position


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("slicing", [slice(3, 60), slice(1, None, 4), slice(None), slice(0, 0)])
def test_slicing_drops_only_among_its_elements(slicing, inplace, rng):
    module = Dropout(0.6, slicing=slicing, inplace=inplace)
    x, g = rng.standard_normal((2, 70)).astype(np.float32)

    y = module(gpuarray.to_gpu(x.reshape(7, 10))).get().reshape(-1)
    module.backward(gpuarray.to_gpu(g.reshape(7, 10)))

    kept = module.rands.get()[:70] < module.partition
    expected, expectedGrad = x.copy(), g.copy()
    expected[slicing] = np.where(kept[slicing], x[slicing] / (1 - module.p), 0)
    expectedGrad[slicing] = np.where(kept[slicing], g[slicing] / (1 - module.p), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_allclose(module.grad.get().reshape(-1), expectedGrad, rtol=1e-6)


def test_in_place_writes_over_data_and_gradient():
    module, data, grad = Dropout(0.5, inplace=True), ones(7, 5), ones(7, 5)

    module(data)
    module.backward(grad)

    assert module.data is data and module.grad is grad
    assert set(data.get().flat) == {0, 2}
    assert np.array_equal(data.get(), grad.get())


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, np.nan])
def test_refuses_a_p_that_is_no_probability_below_one(p):
    with pytest.raises(ModuleError, match=f"p must be at least 0 and below 1, got {p}"):
        Dropout(p)
