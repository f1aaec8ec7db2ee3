import numpy as np
import pytest

from minidl.Backend import Device, gpuarray
from minidl.Backend.Ops import Activation


def onDevice(rng, *shape):
    return gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32))


def test_to_gpu_copies_values_shape_and_dtype(rng):
    values = rng.integers(0, 9, (3, 5))

    array = gpuarray.to_gpu(values)
    expected = values.copy()
    values[:] = 0

    assert array.dtype == np.int64
    np.testing.assert_array_equal(array.get(), expected)


def test_get_gives_an_ordinary_array_of_its_own(rng):
    array = onDevice(rng, 4, 2)

    host = array.get()
    host[:] = 7

    assert type(host) is np.ndarray
    assert not (array.get() == 7).any()


def test_print_shows_what_numpy_shows(rng):
    values = rng.standard_normal((2, 3))

    array = gpuarray.to_gpu(values)

    assert str(array) == str(values) and repr(array) == repr(values)


def test_zeros_are_zero_and_fill_returns_the_array():
    array = gpuarray.zeros((3, 2), np.int32)

    assert array.fill(5) is array
    np.testing.assert_array_equal(array.get(), np.full((3, 2), 5))
    assert not gpuarray.zeros(7).get().any()


def test_copy_writes_into_its_first_argument(rng):
    source, dest = onDevice(rng, 3, 4), gpuarray.zeros((3, 4))

    assert gpuarray.copy(dest, source) is dest
    np.testing.assert_array_equal(dest.get(), source.get())


def test_copy_refuses_to_broadcast(rng):
    with pytest.raises(ValueError, match="arrays alike"):
        gpuarray.copy(gpuarray.zeros((3, 4)), onDevice(rng, 1, 4))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_concatenate_and_split_are_numpys_and_undo_each_other(axis, rng):
    sizes = [2, 1, 4]
    arrays = [onDevice(rng, *np.insert([3, 5], axis % 3, size)) for size in sizes]

    joined = gpuarray.concatenate(arrays, axis)
    parts = gpuarray.split(joined, sizes, axis)

    expected = np.concatenate([array.get() for array in arrays], axis)
    np.testing.assert_array_equal(joined.get(), expected)
    for part, array in zip(parts, arrays, strict=True):
        np.testing.assert_array_equal(part.get(), array.get())


def test_concatenate_refuses_other_shapes_and_dtypes(rng):
    for other in (onDevice(rng, 3, 3), gpuarray.zeros((1, 2), np.float64)):
        with pytest.raises(ValueError, match="differ along axis 0 only"):
            gpuarray.concatenate([onDevice(rng, 1, 2), other])


def test_split_refuses_sections_that_do_not_sum_up(rng):
    with pytest.raises(ValueError, match="sum up to 6"):
        gpuarray.split(onDevice(rng, 6), [2, 3])


@pytest.mark.parametrize("axis", [0, 1])
def test_tile_repeats_the_whole_block(axis, rng):
    array = onDevice(rng, 2, 3)

    tiled = gpuarray.tile(array, 3, axis)

    np.testing.assert_array_equal(tiled.get(), np.concatenate([array.get()] * 3, axis))


def test_minimum_and_maximum_have_no_axes_and_tell_of_nan(rng):
    array = onDevice(rng, 5, 7)

    assert gpuarray.minimum(array).get() == array.get().min()
    assert gpuarray.maximum(array).shape == ()
    array[2, 2] = np.nan
    assert np.isnan(gpuarray.maximum(array).get())


def test_fillUniform_stays_in_its_interval_and_fillNormal_has_its_moments():
    uniform = gpuarray.fillUniform(gpuarray.empty(40_000), -2.0, 3.0).get()
    normal = gpuarray.fillNormal(gpuarray.empty(40_000), 5.0, 0.5).get()

    assert uniform.min() >= -2 and uniform.max() < 3
    assert abs(uniform.mean() - 0.5) < 0.03
    assert abs(normal.mean() - 5) < 0.01 and abs(normal.std() - 0.5) < 0.01


def test_contiguous_passes_what_is_and_copies_what_is_not(rng):
    array = onDevice(rng, 4, 6)

    assert gpuarray.contiguous(array) is array
    turned = gpuarray.contiguous(array.T)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned.get(), array.get().T)


def test_contiguous_refuses_host_arrays_and_names_the_remedy():
    with pytest.raises(TypeError, match="got ndarray; gpuarray.to_gpu"):
        gpuarray.contiguous(np.zeros(3))


def test_shared_arrays_are_views_of_one_flat_array(rng):
    shared = gpuarray.SharedArray(np.float32)
    shared.register((3, 5), np.float32, "W")
    shared.register((7,), np.float32, "b")
    shared.build()

    shared["W"].fill(1)
    shared["b"].fill(2)

    assert shared.ary.get().sum() == 15 + 14
    assert shared["b"].ptr % 64 == shared["W"].ptr % 64 == 0
    with pytest.raises(RuntimeError, match="after build"):
        shared.register((1,), np.float32, "late")


def test_shared_arrays_refuse_a_taken_name_and_another_dtype():
    shared = gpuarray.SharedArray(np.float32)
    shared.register((3,), np.float32, "W")

    for dtype, name in ((np.float32, "W"), (np.float64, "b")):
        with pytest.raises(ValueError, match=f"cannot register {name}"):
            shared.register((3,), dtype, name)


def test_timeKernel_calls_as_often_as_it_says():
    calls = []

    seconds = gpuarray.timeKernel(calls.append, (1,), looplength=5, log=False)

    assert len(calls) == 6 and seconds >= 0


def test_dtypes_and_device_are_told():
    assert (np.float32, 1e-5) in gpuarray.dtypesSupported()
    assert gpuarray.getDeviceName() == Device.current().describe()


def test_numbers_of_the_other_byte_order_are_turned():
    values = np.arange(-3, 4).astype(">f4")
    array = gpuarray.to_gpu(values)
    assert array.dtype == np.float32 and array.dtype.isnative
    np.testing.assert_array_equal(Activation.forward("relu", array).get(), np.maximum(values, 0))
    array = gpuarray.zeros(7, ">f4")
    array[...] = values
    np.testing.assert_array_equal(Activation.forward("relu", array).get(), np.maximum(values, 0))
