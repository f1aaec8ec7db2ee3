"""SpatialTf, beside numpy and central differences."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import ModuleError, SpatialTf
from tests.Gradients import checkGradients

identity = np.array([[1, 0, 0], [0, 1, 0]])
# (shape of x, shape of the output)
sizes = [
    ((3, 4, 5, 7), None), ((2, 3, 4, 5), (3, 6, 3)), ((1, 2, 1, 6), (2, 3, 5)),
    ((2, 1, 7, 1), (1, 4, 3)), ((1, 1, 1, 1), (1, 2, 3)), ((2, 2, 3, 4), (2, 1, 7)),
    ((1, 3, 5, 3), (3, 6, 1)), ((2, 5, 11, 13), (5, 1, 1)), ((5, 2, 2, 2), None),
    ((3, 7, 3, 8), (7, 13, 2)), ((1, 34, 4, 3), None), ((2, 3, 17, 5), (3, 7, 11)),
]
everySize = pytest.mark.parametrize("shape, outShape", sizes)


def randomly(shape, rng):
    x = rng.standard_normal(shape)
    theta = identity * rng.uniform(0.5, 1.2) + rng.uniform(-0.5, 0.5, (shape[0], 2, 3))
    return x.astype(np.float32), theta.astype(np.float32)


def onDevice(arrays):
    return [gpuarray.to_gpu(array) for array in arrays]


def reference(x, theta, size):
    """Each output as the sum of all x, weighted by how near they are to its place."""
    batch, maps, height, width = x.shape
    Y, X = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in size)
    X, Y = np.meshgrid(X, Y)
    u, v = np.einsum("nab,bpq->anpq", theta, np.stack([X, Y, np.ones_like(X)]))
    columns, rows = (u + 1) / 2 * (width - 1), (v + 1) / 2 * (height - 1)
    near = lambda places, size: np.maximum(0, 1 - abs(places[..., None] - np.arange(size)))
    return np.einsum("nchw,npqh,npqw->ncpq", x, near(rows, height), near(columns, width))


@everySize
@pytest.mark.parametrize("train", [True, False])
def test_numbers_lie_between_the_four_around_their_place(shape, outShape, train, rng):
    module, data = SpatialTf(outShape), randomly(shape, rng)
    module.trainMode() if train else module.evalMode()

    y = module(onDevice(data)).get()

    size = (outShape or shape[1:])[1:]
    expected = reference(*(each.astype(np.float64) for each in data), size)
    assert y.shape == (*shape[:2], *size)
    assert y.shape == module.dataShapeFrom([shape, (shape[0], 2, 3)])
    np.testing.assert_allclose(y, expected, 0, 2e-5)


def test_identity_gives_the_data(rng):
    x = rng.standard_normal((2, 3, 13, 17)).astype(np.float32)

    y = SpatialTf()(onDevice([x, np.stack([identity] * 2).astype(np.float32)])).get()

    np.testing.assert_allclose(y, x, 0, 1e-5)


@pytest.mark.parametrize("theta", [
    [[0, 0, 0.31], [0, 0, 0.17]], [[0.5, 0.25, 0.11], [1, 0.5, 0.13]],
    [[0, 0.93, 0.1], [0.8, 0, 0.03]], [[0, 0, 0.1], [0.7, 0.3, 0.03]],
    [[0.9, 0, 0.07], [0, 0, 3]], [[-3.1, 0, 0], [0.01, 4.3, 0.1]]],
    ids=["point", "line", "transpose", "column", "away", "small"])
def test_gradients_of_every_kind_of_look(theta, rng):
    x = rng.standard_normal((1, 2, 5, 8))

    checkGradients(SpatialTf((2, 7, 6)), [x, np.array([theta])], rng)


@pytest.mark.parametrize("theta", [identity * 0.83 + 0.05, identity * 2.9, identity[::-1] * 0.4])
def test_gradient_of_data_is_the_transpose(theta, rng):
    module, x = SpatialTf((3, 33, 29)), rng.standard_normal((2, 3, 23, 37)).astype(np.float32)
    theta = np.stack([theta, theta * 0.9]).astype(np.float32)

    y = module(onDevice([x, theta])).get().astype(np.float64)
    g = rng.standard_normal(y.shape).astype(np.float32)
    module.backward(gpuarray.to_gpu(g))

    there, back = (y * g).sum(), (module.grad[0].get().astype(np.float64) * x).sum()
    np.testing.assert_allclose(back, there, 1e-4, 1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_place_that_is_no_number_gives_none_in_its_sample(value, rng):
    module, (x, theta) = SpatialTf(), randomly((3, 2, 5, 4), rng)
    clean = module(onDevice([x, theta])).get()
    theta[1, 0, 2] = value

    spoiled = module(onDevice([x, theta])).get()
    module.backward(gpuarray.to_gpu(np.ones_like(spoiled)))

    assert np.isnan(spoiled[1]).all()
    np.testing.assert_array_equal(spoiled[::2], clean[::2])
    assert np.isfinite(module.grad[0].get()).all()


def test_same_bits_for_any_number_of_threads(rng, device):
    module, data, results = SpatialTf((3, 19, 23)), randomly((5, 3, 17, 13), rng), []
    g = rng.standard_normal((5, 3, 19, 23)).astype(np.float32)

    for threads in (1, 2, 3):
        device.setThreads(threads)
        y = module(onDevice(data)).get()
        module.backward(gpuarray.to_gpu(g))
        results.append([y.tobytes(), *(grad.get().tobytes() for grad in module.grad)])

    assert all(result == results[0] for result in results)


def test_blueprint_builds_an_equal_module():
    blueprint = SpatialTf((3, 4, 5), "look").getBlueprint()

    assert blueprint["scheme"] == {"shape": [3, 4, 5], "name": "look"}
    assert SpatialTf(**blueprint["scheme"]).getBlueprint() == blueprint


@pytest.mark.parametrize("shape", [(3, 4), (3, 0, 5), 7, (3, 4.5, 5), "abc"])
def test_refuses_bad_arguments(shape):
    with pytest.raises(ModuleError, match="SpatialTf: shape must be three positive integers"):
        SpatialTf(shape)


@pytest.mark.parametrize("module, shapes, message", [
    (SpatialTf(), [(2, 3, 4, 5)], r"SpatialTf: data must be a list of maps .* got \[\(2, 3, 4, 5"),
    (SpatialTf(), [(2, 3, 4), (2, 2, 3)], "data must be a list of maps"),
    (SpatialTf(), [(2, 3, 4, 5), (3, 2, 3)], "data must be a list of maps"),
    (SpatialTf(), [(2, 3, 4, 5), (2, 3, 2)], "data must be a list of maps"),
    (SpatialTf((2, 4, 5)), [(2, 3, 4, 5), (2, 2, 3)], r"the 2 maps of shape \(2, 4, 5\), got"),
    (SpatialTf(), [(2, 3, 0, 5), (2, 2, 3)], r"from 1 to 2\*\*31 - 1 numbers, got \(2, 3, 0, 5\)"),
    (SpatialTf((1, 65536, 32768)), [(1, 1, 2, 2), (1, 2, 3)], r"and \(1, 1, 65536, 32768\)"),
])
def test_refuses_bad_shapes(module, shapes, message):
    with pytest.raises(ModuleError, match=message):
        module([gpuarray.zeros(shape) for shape in shapes])
    assert module.data is module.inData is None


def test_refuses_a_single_array_and_another_type():
    with pytest.raises(ModuleError, match="data must be a list of maps"):
        SpatialTf()(gpuarray.zeros((2, 3, 4, 5)))
    with pytest.raises(ModuleError, match="expected data of dtype float32, got float64"):
        SpatialTf()([gpuarray.zeros((1, 2, 3, 4)), gpuarray.zeros((1, 2, 3), np.float64)])
