"""DepthConcat, beside numpy."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import DepthConcat, ModuleError
from tests.ListCases import concats

everyList = pytest.mark.parametrize("shapes", concats, ids=str)


def randomly(shapes, rng):
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def onDevice(arrays):
    return [gpuarray.to_gpu(array) for array in arrays]


def reference(arrays):
    height, width = (max(array.shape[axis] for array in arrays) for axis in (2, 3))
    padded = []
    for array in arrays:
        up, left = (height - array.shape[2]) // 2, (width - array.shape[3]) // 2
        down, right = height - array.shape[2] - up, width - array.shape[3] - left
        padded.append(np.pad(array, [(0, 0), (0, 0), (up, down), (left, right)]))
    return np.concatenate(padded, axis=1)


@everyList
@pytest.mark.parametrize("train", [True, False])
def test_maps_stand_one_behind_another_in_the_middle_of_zeros(shapes, train, rng):
    module, arrays = DepthConcat(), randomly(shapes, rng)
    module.trainMode() if train else module.evalMode()
    data = onDevice(arrays)

    y = module(data)

    np.testing.assert_array_equal(y.get(), reference(arrays))
    assert y.shape == module.dataShapeFrom(shapes)
    for given, array in zip(data, arrays, strict=True):
        np.testing.assert_array_equal(given.get(), array)


def test_same_bits_for_any_number_of_threads(rng, device):
    module, arrays, results = DepthConcat(), randomly(concats[-1], rng), []
    g = rng.standard_normal(module.dataShapeFrom(concats[-1])).astype(np.float32)

    for threads in (1, 2, 3):
        device.setThreads(threads)
        y = module(onDevice(arrays)).get()
        module.backward(gpuarray.to_gpu(g))
        results.append([y.tobytes(), *(grad.get().tobytes() for grad in module.grad)])

    assert all(result == results[0] for result in results)


def test_blueprint_builds_an_equal_module():
    blueprint = DepthConcat("join").getBlueprint()

    assert blueprint == {"classname": "DepthConcat", "scheme": {"name": "join"}}
    assert DepthConcat(**blueprint["scheme"]).getBlueprint() == blueprint


@pytest.mark.parametrize("shapes", [
    [], [(3, 2, 4)], [(3, 2, 4, 5), (2, 2, 4, 5)], [(3, 2, 4, 5), (3, 2, 20)], [(0, 1, 2, 3)],
    [(3, 2, 4, 5), (3, 0, 4, 5)]])
def test_refuses_lists_that_do_not_fit(shapes):
    module = DepthConcat("join")
    with pytest.raises(ModuleError, match="'join': data must be a list of arrays .* one batch"):
        module([gpuarray.zeros(shape) for shape in shapes])
    assert module.data is module.inData is None


def test_refuses_a_single_array_another_type_and_too_many_numbers():
    with pytest.raises(ModuleError, match=r"DepthConcat: data must be a list .* \(1, 2, 3, 4\)"):
        DepthConcat()(gpuarray.zeros((1, 2, 3, 4)))
    with pytest.raises(ModuleError, match="expected data of dtype float32, got float64"):
        DepthConcat()([gpuarray.zeros((1, 2, 3, 4), np.float64)])
    with pytest.raises(ModuleError, match=r"fewer than 2\*\*31 numbers, got shape \(1, 2, 65536"):
        DepthConcat()([gpuarray.zeros((1, 1, 65536, 1)), gpuarray.zeros((1, 1, 1, 65536))])


def test_refuses_gradients_that_do_not_fit():
    module = DepthConcat()
    with pytest.raises(ModuleError, match="backward needs a call with data first"):
        module.backward(gpuarray.zeros((1, 2, 3, 4)))
    module([gpuarray.zeros((1, 2, 3, 4))])
    with pytest.raises(ModuleError, match=r"shape of data \(1, 2, 3, 4\), got \(1, 2, 4, 3\)"):
        module.backward(gpuarray.zeros((1, 2, 4, 3)))
