"""Arrays on the GPU follow numpy: every result here is compared with what numpy gives."""

import copy
import pickle

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Activation, Vector

pytest.importorskip("pycuda", reason="tests PyCUDA's arrays, which make test-cuda installs")
import pycuda.gpuarray  # noqa: E402

from minidl.Backend.Cuda.CudaArray import adopt  # noqa: E402

dtypes = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.uint32]


def pair(shape, dtype=np.float32):
    """The same values for numpy and on the device."""
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    return values, gpuarray.to_gpu(values)


def same(array, expected):
    assert isinstance(array, pycuda.gpuarray.GPUArray)
    assert array.shape == expected.shape and array.dtype == expected.dtype
    assert (array.layout is not None) == expected.flags.c_contiguous
    np.testing.assert_array_equal(array.get(), expected)


@pytest.mark.parametrize("dtype", dtypes)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 1, 4), (0,), (3, 0, 2)])
def test_values_come_back(shape, dtype):
    values, array = pair(shape, dtype)
    same(array, values)
    assert array.size == values.size and array.nbytes == values.nbytes and array.ndim == values.ndim
    assert array.itemsize == values.itemsize
    assert array.strides == values.strides or not values.size


def test_they_are_pycudas():
    values, array = pair((3, 4))
    same(array + array, values + values)
    same(2 * array - 1, 2 * values - 1)
    assert pycuda.gpuarray.sum(array).get() == values.sum()
    assert pycuda.gpuarray.max(array).get() == values.max()
    array += 1
    same(array, values + 1)


indices = [
    1, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(3, 1),
    slice(2, 2), (1, 2), (slice(1, None), 2), (slice(None), slice(1, 4), 0), (..., 1), (1, ...),
    (None, 1), (slice(None), None, 2), (slice(3, 0, -2), slice(None, None, -1), slice(0, 2)),
    np.int64(2), (..., slice(0, 0)), ...,
]


@pytest.mark.parametrize("index", indices, ids=str)
def test_parts(index):
    values, array = pair((4, 5, 3))
    same(array[index], np.asarray(values[index]))


@pytest.mark.parametrize("index", indices, ids=str)
def test_parts_are_written_where_they_lie(index, rng):
    values, array = pair((4, 5, 3))
    new = rng.standard_normal(values[index].shape).astype(np.float32)
    for given in new, gpuarray.to_gpu(new), 7, np.float64(0.5), gpuarray.to_gpu(np.float32(3)):
        values[index] = given.get() if hasattr(given, "get") else given
        array[index] = given
        same(array, values)


@pytest.mark.parametrize("index", [[1, 2], np.array([1]), 1.5, "1", (slice(None), [0])], ids=str)
def test_other_indices_are_refused(index):
    with pytest.raises(IndexError, match="takes integers, slices, None and"):
        pair((4, 5))[1][index]


@pytest.mark.parametrize("index", [4, -5, (0, 5), (0, 0, 0)], ids=str)
def test_indices_beyond_the_ends_are_refused(index):
    with pytest.raises(IndexError):
        pair((4, 5))[1][index]


@pytest.mark.parametrize("shape", [(20, 3), (-1,), (4, -1), 60, (3, 4, 5), (2, -1, 3, 5), (1, 60)])
def test_reshape(shape):
    values, array = pair((4, 5, 3))
    same(array.reshape(shape), values.reshape(shape))
    if isinstance(shape, tuple):
        same(array.reshape(*shape), values.reshape(shape))
    array.reshape(shape).fill(1)  # one memory
    same(array, np.ones_like(values))
    turned = array.T
    same(turned.reshape(shape), np.ones((3, 5, 4), np.float32).reshape(shape))


@pytest.mark.parametrize("shape", [(7,), (-1, -1), (4, 4), (-1, 7)])
def test_reshape_to_another_size_is_refused(shape):
    with pytest.raises(ValueError):
        pair((4, 5))[1].reshape(shape)


def test_views():
    values, array = pair((4, 5, 1))
    same(array.T, values.T)
    same(array.transpose((1, 0, 2)), values.transpose((1, 0, 2)))
    same(array.squeeze(), values.squeeze())
    same(array.ravel(), values.ravel())
    same(array.view(np.int32), values.view(np.int32))
    same(array[1:3].T[0, ::-1].copy(), values[1:3].T[0, ::-1].copy())


def test_broadcasting_in_assignments():
    values, array = pair((4, 5))
    row, column = np.arange(5, dtype=np.float32), np.arange(4, dtype=np.float32)[:, None]
    for given in row, column, row[None]:
        values[...] = given
        array[...] = gpuarray.to_gpu(given)
        same(array, values)
        array[...] = given
        same(array, values)
    with pytest.raises(ValueError):
        array[...] = gpuarray.to_gpu(np.zeros(4, np.float32))


def test_parts_of_one_array_may_overlap():
    for to, source in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None)),
                       (slice(None), slice(None, None, -1))):
        values, array = pair((9,))
        values[to] = values[source].copy()
        array[to] = array[source]
        same(array, values)


@pytest.mark.parametrize("dtype", dtypes)
def test_assignment_converts(dtype):
    values, array = pair((3, 5), dtype)
    given = np.arange(5, dtype=np.float64) + 1
    values[1], array[1] = given, gpuarray.to_gpu(given)
    same(array, values)


@pytest.mark.parametrize("dtype", dtypes)
@pytest.mark.parametrize("value", [0, 1, 3.5, 100])
def test_fill(dtype, value):
    values, array = pair((3, 5), dtype)
    assert array.fill(value) is array
    values.fill(value)
    same(array, values)
    array[:, ::2].fill(2)
    values[:, ::2].fill(2)
    same(array, values)


@pytest.mark.parametrize("index", [slice(None), (slice(None), slice(0, 3)), slice(None, None, -2)])
def test_copies_are_contiguous_and_apart(index):
    values, array = pair((4, 5))
    for made in array[index].copy(), copy.copy(array[index]), copy.deepcopy(array[index]), \
            pickle.loads(pickle.dumps(array[index])):
        same(made, values[index].copy())
        made.fill(9)
    same(array, values)


def test_numbers_and_host_arrays():
    values, array = pair((3,))
    assert float(array[2]) == 2.0 and int(array[1]) == 1
    np.testing.assert_array_equal(np.asarray(array), values)
    assert np.asarray(array, np.float64).dtype == np.float64
    assert str(array) == str(values) and repr(array) == repr(values)
    with pytest.raises(ValueError, match="without a copy"):
        np.array(array, copy=False)


def test_set_refuses_other_shapes_and_dtypes():
    _, array = pair((3, 4))
    for wrong in np.zeros((4, 3), np.float32), np.zeros((3, 4)), np.zeros(12, np.float32):
        with pytest.raises(ValueError, match=r"set needs float32 of shape \(3, 4\), got"):
            array.set(wrong)


def test_negative_sizes_are_refused():
    with pytest.raises(ValueError, match="sizes of zero or more"):
        gpuarray.empty((2, -1))


# Arrays that others have made

class Foreign:
    """An array of another library, as far as others can see it."""

    def __init__(self, array, stream=None, strides=None):
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "data": (int(array.gpudata), False),
            "version": 3, "strides": strides, "stream": stream}


def test_kernels_and_modules_take_pycudas_own_arrays(rng):
    from minidl.Modules import BatchNorm, Flatten, Linear

    values = rng.standard_normal((6, 4)).astype(np.float32)
    theirs = pycuda.gpuarray.to_gpu(values)
    same(Activation.forward("relu", theirs), np.maximum(values, 0))

    for module in Linear(4, 3), BatchNorm(4), Flatten():
        out = module(theirs)
        module.backward(pycuda.gpuarray.to_gpu(np.ones(out.shape, np.float32)))
        grad = module.grad.get()
        np.testing.assert_array_equal(out.get(), module(gpuarray.to_gpu(values)).get())
        module.backward(gpuarray.to_gpu(np.ones(out.shape, np.float32)))
        np.testing.assert_array_equal(grad, module.grad.get())


def test_what_minidl_writes_into_pycudas_arrays_is_there():
    values, array = pair((5,))
    theirs = pycuda.gpuarray.to_gpu(values)
    Vector.addScaled(array, theirs, out=theirs)
    np.testing.assert_array_equal(theirs.get(), 2 * values)
    assert adopt(theirs).ptr == theirs.ptr and adopt(theirs).base is theirs


def test_pycudas_views_and_fortran_order_keep_their_meaning():
    values = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    theirs = pycuda.gpuarray.to_gpu(values)
    for array, expected in ((theirs, values), (theirs[:, 1:3], values[:, 1:3])):
        np.testing.assert_array_equal(gpuarray.contiguous(array).get(), expected)
        np.testing.assert_array_equal(gpuarray.contiguous(array.T).get(), expected.T)


@pytest.mark.parametrize("stream", [None, 1, 2])
def test_other_libraries_arrays_are_taken(stream):
    values, array = pair((3, 4))
    same(Activation.forward("relu", gpuarray.contiguous(Foreign(array, stream))), values)
    turned = Foreign(array.T, stream, array.T.strides)
    np.testing.assert_array_equal(gpuarray.contiguous(turned).get(), values.T)


class Pretender:
    """What is no array of the device, but looks like one: a tensor of PyTorch's on the CPU."""

    layout, shape, dtype = object(), (3,), np.dtype(np.float32)


def test_what_looks_like_an_array_is_refused_by_modules_kernels_and_products():
    from minidl.Backend.Ops.MatMul import matMul
    from minidl.Modules import Linear
    from minidl.Modules.Module import ModuleError

    array = gpuarray.zeros((3, 3))
    for call in (lambda: Linear(3, 2)(Pretender()), lambda: matMul(Pretender(), array),
                 lambda: Activation.kernels.reluForward(1, Pretender(), array, 3)):
        with pytest.raises((ModuleError, TypeError), match="array on the device|got Pretender"):
            call()


def test_arrays_of_others_must_lie_as_their_numbers_want_it():
    _, array = pair((5,))
    crooked = Foreign(array)
    crooked.__cuda_array_interface__["data"] = (array.ptr + 2, False)
    with pytest.raises(ValueError, match="must begin at a multiple of 4 bytes"):
        gpuarray.contiguous(crooked)


def test_others_are_told_what_to_wait_for():
    from minidl.Backend import Device

    _, array = pair((4, 5))
    interface = array.__cuda_array_interface__
    assert interface["stream"] == Device.current().stream.handle
    assert interface["data"][0] == array.ptr and interface["strides"] is None
    assert array.T.__cuda_array_interface__["strides"] == array.T.strides


def test_assignment_takes_other_libraries_arrays():
    values, array = pair((4, 5))
    target = gpuarray.zeros((4, 5))
    target[...] = Foreign(array)
    same(target, values)


def test_bfloat16_of_others_is_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    values, array = pair((5,), bfloat16)
    foreign = Foreign(array)
    foreign.__cuda_array_interface__["typestr"] = "<V2"
    assert gpuarray.contiguous(foreign).dtype == bfloat16


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), [1.0], None, 3])
def test_what_is_no_array_on_the_device_is_refused(wrong):
    with pytest.raises(TypeError, match="to_gpu puts a numpy array there"):
        gpuarray.contiguous(wrong)
