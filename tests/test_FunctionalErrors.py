"""What minidl.Functional refuses: who speaks, what was wanted, what was given."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Functional import (
    FunctionalError,
    batchNormalization,
    batchNormalizationBackward,
    batchNormBackward,
    batchNormInfer,
    batchNormInferBackward,
    batchNormTrain,
)

everyFunction = pytest.mark.parametrize("name", [
    "batchNormTrain", "batchNormInfer", "batchNormBackward", "batchNormInferBackward"])


def array(*shape, dtype=np.float32):
    return gpuarray.to_gpu(np.ones(shape, dtype))


def call(name, data=None, grad=None, small=(3,), axes="spatial", epsilon=1e-5, dtype=np.float32):
    """The function on arrays of ones, `data` or its shape."""
    data = array(4, 3, 5, dtype=dtype) if data is None else data
    data = array(*data, dtype=dtype) if isinstance(data, tuple) else data
    grad = data if grad is None else grad
    one = [array(*small, dtype=dtype) for _ in range(4)]
    return {
        "batchNormTrain": lambda: batchNormTrain(data, *one[:2], axes, epsilon),
        "batchNormInfer": lambda: batchNormInfer(data, *one, axes, epsilon),
        "batchNormBackward": lambda: batchNormBackward(data, grad, *one[:3], axes, epsilon),
        "batchNormInferBackward":
            lambda: batchNormInferBackward(data, grad, *one[:3], axes, epsilon),
    }[name]()


def refused(message):
    return pytest.raises(FunctionalError, match=message)


def test_the_error_is_of_both_kinds():
    assert issubclass(FunctionalError, ValueError) and issubclass(FunctionalError, TypeError)


@everyFunction
@pytest.mark.parametrize("axes, message", [  # A5, M9
    ("bogus", "'spatial', 'per-activation' or integers, got 'bogus'"),
    ("", "got ''"),
    ((), r"one integer or more, or a word, got \(\)"),
    ([], r"got \[\]"),
    (3, "from -3 to 2 for data of 3 axes, got 3"),
    ((0, 3), r"from -3 to 2 for data of 3 axes, got \(0, 3\)"),
    (-4, "from -3 to 2 for data of 3 axes, got -4"),
    (10 ** 30, "from -3 to 2 for data of 3 axes"),
    ((0, 0), r"differ from each other, got \(0, 0\) for data of 3 axes"),
    ((2, -1), r"differ from each other, got \(2, -1\)"),
    (True, "got True"),
    ((False, 2), "one integer or more"),
    (1.0, "got 1.0"),
    ((0, "spatial"), "one integer or more"),
    (np.array([0.0, 2.0]), "one integer or more"),
    (np.array([[0, 2]]), "one integer or more"),
    (None, "got None"),
    (b"spatial", "got b'spatial'"),
])
def test_axes(name, axes, message):
    with refused(f"^{name}: axes must .*{message}"):
        call(name, axes=axes)


@everyFunction
@pytest.mark.parametrize("epsilon", [  # A9, A24, T19, M12
    9.9e-6, np.nextafter(1e-5, 0), 0, -1, -1e-5, np.nan, np.float32(9.9e-6), np.float32(np.nan)])
def test_epsilon_below_its_minimum(name, epsilon):
    with refused(f"^{name}: epsilon must be at least 1e-05, got "):
        call(name, epsilon=epsilon)


@everyFunction
@pytest.mark.parametrize("epsilon", [
    None, "small", "0.1", 1j, [1e-5], np.inf, -np.inf, np.float32(np.inf), 10 ** 400])
def test_epsilon_that_is_no_number(name, epsilon):
    with refused(f"^{name}: epsilon must be a finite number, got "):
        call(name, epsilon=epsilon)


@everyFunction
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epsilon", [1e-5, np.float32(1e-5), np.float64(1e-5), 1, 1e-4])
def test_epsilon_at_its_minimum_is_taken(name, epsilon, dtype):  # K5
    call(name, epsilon=epsilon, dtype=dtype)


@pytest.mark.parametrize("running", [(), (array(3), array(3))], ids=["alone", "running"])
@pytest.mark.parametrize("factor", [-0.1, 1.0001, 2, np.nan, np.inf, "1/n", "0.1", (1,), 10 ** 400])
def test_factor(factor, running):  # T21
    with refused("^batchNormTrain: factor must be "):
        batchNormTrain(array(4, 3), array(3), array(3), "spatial", 1e-5, factor, *running)


@everyFunction
@pytest.mark.parametrize("small, axes", [  # A6, A7, M21
    ((4,), "spatial"), ((5,), "spatial"), ((3, 1), "spatial"), ((1, 3), "spatial"), ((), "spatial"),
    ((1,), "spatial"), ((1, 3, 1, 1), "spatial"), ((1, 3, 5), "spatial"), ((3, 1, 1), "spatial"),
    ((15,), 0), ((5, 3), 0), ((3,), 0), ((1,), (0, 1, 2)), ((4, 3, 5), 0)])
def test_small_arrays_of_another_shape(name, small, axes):
    with refused(f"^{name}: scale must have shape .* for data of shape .*4, 3, 5.*, got "):
        call(name, small=small, axes=axes)


def wrong(place, kind):
    """Arguments (3,) of which one is otherwise."""
    arrays = [array(3) for _ in range(4)]
    arrays[place] = {"full": array(1, 3, 1), "longer": array(4), "other dtype": array(3).get()
                     .astype(np.float64), "on the host": np.ones(3, np.float32)}[kind]
    if kind == "other dtype":
        arrays[place] = gpuarray.to_gpu(arrays[place])
    return arrays


@pytest.mark.parametrize("kind", ["full", "longer", "other dtype"])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_small_arrays_are_alike(place, kind):  # A7, A14, A23
    data, arrays = array(4, 3, 5), wrong(place, kind)
    running = dict(zip(("runningMean", "runningVar"), arrays[2:], strict=True))
    given = r", got float(32|64) of shape \((3|4|1, 3, 1),?\)"

    name = ["scale", "bias", "runningMean", "runningVar"][place]
    with refused(rf"^batchNormTrain: {name} must be float32 of scale's shape \(3,\).*{given}"):
        batchNormTrain(data, *arrays[:2], **running)
    name = ["scale", "bias", "mean", "var"][place]
    with refused(rf"^batchNormInfer: {name} must be float32 of scale's shape.*{given}"):
        batchNormInfer(data, *arrays)
    if place == 3:
        return
    name = ["scale", "savemean", "saveinvvar"][place]
    with refused(rf"^batchNormBackward: {name} must be float32 of scale's shape.*{given}"):
        batchNormBackward(data, data, *arrays[:3], "spatial", 1e-5)
    name = ["scale", "mean", "var"][place]
    with refused(rf"^batchNormInferBackward: {name} must be float32 of scale's shape.*{given}"):
        batchNormInferBackward(data, data, *arrays[:3], "spatial", 1e-5)


def test_running_statistics_come_together():  # A13
    data, one = array(4, 3), array(3)
    with refused("^batchNormTrain: runningMean and runningVar must both .*, got no runningVar"):
        batchNormTrain(data, one, one, runningMean=one)
    with refused("^batchNormTrain: runningMean and runningVar must both .*, got no runningMean"):
        batchNormTrain(data, one, one, runningVar=one)


@everyFunction
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, bool, np.complex64])
def test_data_that_are_no_floating_point_numbers(name, dtype):  # A34, M18
    data = gpuarray.to_gpu(np.ones((4, 3), dtype))
    with refused(f"^{name}: data must be floating point numbers .*, got {np.dtype(dtype)}"):
        call(name, data)


@everyFunction
@pytest.mark.parametrize("data", [np.ones((4, 3), np.float32), [[1.0, 2.0]], 3, "data"])
def test_data_on_the_host(name, data):
    with refused(f"^{name}: data must be an array on the device: got {type(data).__name__}"):
        call(name, data)


@everyFunction
def test_small_arrays_on_the_host(name):
    with refused(f"^{name}: scale must be an array on the device: got ndarray"):
        one = np.ones(3, np.float32)
        {"batchNormTrain": lambda x: batchNormTrain(x, one, one),
         "batchNormInfer": lambda x: batchNormInfer(x, one, one, one, one),
         "batchNormBackward": lambda x: batchNormBackward(x, x, one, one, one, 0, 1e-5),
         "batchNormInferBackward": lambda x: batchNormInferBackward(x, x, one, one, one, 0, 1e-5),
         }[name](array(4, 3))


@everyFunction
@pytest.mark.parametrize("shape, small, axes", [  # X8, M16
    ((0, 3), (3,), "spatial"), ((4, 0), (0,), "spatial"), ((4, 3, 0), (3,), "spatial"),
    ((4,), (), 0), ((4,), (4,), "spatial"), ((), (), "spatial")])
def test_data_that_are_empty_or_have_one_axis(name, shape, small, axes):
    with refused(f"^{name}: data must have two axes or more and from 1 .*, got shape "):
        call(name, shape, small=small, axes=axes)


@pytest.mark.parametrize("shape, small, axes", [
    ((1, 3), (3,), "spatial"), ((1, 3, 1, 1), (1, 3, 1, 1), "spatial"), ((4, 1), (4,), 1),
    ((4, 1, 3), (4, 3), 1)])
def test_one_value_a_channel(shape, small, axes):  # A19, T18, M19
    x = np.full(shape, 5, np.float32)
    data, scale, bias, mean, var = (
        gpuarray.to_gpu(values.astype(np.float32)) for values in
        (x, np.full(small, 2), np.full(small, 3), np.full(small, 4), np.full(small, 6)))

    with refused("^batchNormTrain: needs two or more values a channel, .* got 1 for data of shape"):
        batchNormTrain(data, scale, bias, axes)
    assert (mean.get() == 4).all() and (var.get() == 6).all()

    out, *saved, newMean, newVar = batchNormTrain(
        data, scale, bias, axes, 1e-5, 0.1, mean, var, unbiased=False)
    grads = batchNormBackward(data, data, scale, *saved, axes, 1e-5)
    assert (out.get() == 3).all() and (grads[0].get() == 0).all()
    assert (saved[0].get() == 5).all()
    np.testing.assert_allclose(newMean.get(), 4.1, rtol=1e-6)
    np.testing.assert_allclose(newVar.get(), 5.4, rtol=1e-6)
    batchNormInfer(data, scale, bias, mean, var, axes)


@pytest.mark.parametrize("name", ["batchNormBackward", "batchNormInferBackward"])
@pytest.mark.parametrize("grad", [  # P28
    array(3, 3, 5), array(4, 3), array(4, 5, 3), array(4, 3, 5, dtype=np.float64)])
def test_a_gradient_that_is_not_like_the_data(name, grad):
    with refused(rf"^{name}: grad must be float32 of shape \(4, 3, 5\), as data, got float"):
        call(name, grad=grad)


@pytest.mark.parametrize("out", [array(4, 3), array(3, 4, 5), array(4, 3, 5, dtype=np.float64)])
@pytest.mark.parametrize("axes, small", [("spatial", (3,)), (1, (4, 5))])
def test_a_place_for_the_output_that_is_not_like_the_data(out, axes, small):
    data, one = array(4, 3, 5), array(*small)
    with refused(r"^batchNormInfer: out must be float32 of shape \(4, 3, 5\), as data, got float"):
        batchNormInfer(data, one, one, one, one, axes, out=out)
    assert (out.get() == 1).all()


def test_more_numbers_than_an_index_counts():
    few = array(1)
    if not isinstance(few, np.ndarray):
        pytest.skip("an array of this size would be memory of the GPU")
    data = np.broadcast_to(few, (2 ** 16, 2 ** 15)).view(type(few))
    with refused(r"^batchNormTrain: data must have .* from 1 to 2\*\*31 - 1 numbers, got shape"):
        batchNormTrain(data, few, few)


# batchNormalization

@pytest.mark.parametrize("mode", ["mid_mem", "", None, 1])
def test_mode(mode):  # A28
    x, one = array(4, 3), array(1, 3)
    with refused('^batchNormalization: mode must be "low_mem" or "high_mem", got '):
        batchNormalization(x, one, one, one, one, mode)
    with refused("^batchNormalizationBackward: mode must be "):
        batchNormalizationBackward(x, x, one, one, one, mode)


@pytest.mark.parametrize("small", [(3,), (1, 4), (2, 3), (1, 3, 1), ()])
def test_gamma_has_the_axes_of_the_inputs(small):  # A30
    x, one = array(4, 3), array(*small)
    with refused(r"gamma must have 2 axes, each of size 1 or as in inputs of shape \(4, 3\), got"):
        batchNormalization(x, one, one, one, one)


@pytest.mark.parametrize("place", [1, 2, 3])
def test_gammas_companions_are_like_it(place):  # A30
    arrays = [array(1, 3) for _ in range(4)]
    arrays[place] = array(4, 3)
    name = ["gamma", "beta", "mean", "std"][place]
    with refused(rf"^batchNormalization: {name} must be float32 of gamma's shape \(1, 3\)"):
        batchNormalization(array(4, 3), *arrays)


def test_inputs_are_floating_point_numbers():
    one = array(1, 3)
    with refused("^batchNormalization: inputs must be floating point numbers"):
        batchNormalization(array(4, 3, dtype=np.int32), one, one, one, one)
