"""Calls that a kernel of the user's refuses."""

import numpy as np
import pytest

from minidl.Backend import SourceModule, gpuarray

AXPY = """
__global__ void axpy(float *y, const float *x, float a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] += a * x[i];
}
"""


@pytest.fixture
def axpy():
    return SourceModule(AXPY).get_function("axpy")


array = gpuarray.zeros((10,), np.float32)
good = {0: array, 1: array, 2: np.float32(1), 3: np.int32(10)}


@pytest.mark.parametrize("number, value, message", [
    (0, gpuarray.zeros((10,), np.float64),
     r"argument 1 \(y\) must be an array of float32 on the device, got an array of float64"),
    (1, np.zeros(10, np.float32), r"argument 2 \(x\) .* of the host; gpuarray.to_gpu"),
    (1, 3.5, r"argument 2 \(x\) must be an array of float32"),
    (1, None, r"argument 2 \(x\) must be .*, got None \(NoneType\)"),
    (2, 1.0, r"argument 3 \(a\) must be a numpy scalar of float32, got 1.0 \(float\)"),
    (2, np.float64(1), r"must be a numpy scalar of float32, got numpy.float64"),
    (2, np.int32(1), r"must be a numpy scalar of float32, got numpy.int32"),
    (3, 10, r"argument 4 \(n\) must be a numpy scalar of int32, got 10 \(int\)"),
    (3, np.int64(10), r"must be a numpy scalar of int32, got numpy.int64"),
    (3, np.uint32(10), r"must be a numpy scalar of int32, got numpy.uint32"),
    (3, array, r"must be a numpy scalar of int32, got an array of float32"),
])
def test_refuses_arguments_that_do_not_fit(axpy, number, value, message):
    with pytest.raises(TypeError, match="kernel axpy: .*" + message):
        axpy(*{**good, number: value}.values(), block=(10, 1, 1))


@pytest.mark.parametrize("sizes, message", [
    ({}, "needs block="),
    ({"block": (1025, 1, 1)}, "block must have sizes of 1 .. "),
    ({"block": (32, 33, 1)}, "at most 1024 threads, got .* 1056"),
    ({"block": (1, 1, 65)}, "block must have sizes of 1 .. "),
    ({"block": (0, 1, 1)}, "block must have sizes of 1 .. "),
    ({"block": 256}, "block must be a tuple of one to three sizes, got 256"),
    ({"block": (1, 1, 1, 1)}, "block must be a tuple"),
    ({"block": (10, 1, 1), "grid": 5}, "grid must be a tuple of one to three sizes, got 5"),
    ({"block": (10, 1, 1), "grid": (1, 65536)}, "grid must have sizes of 1 .. "),
    ({"block": (10, 1, 1), "grid": (0, 1)}, "grid must have sizes of 1 .. "),
    ({"block": (10, 1, 1), "shared": 300000}, "shared must be 0 .. 232448 bytes, got 300000"),
])
def test_refuses_sizes_that_do_not_fit(axpy, sizes, message):
    with pytest.raises(ValueError, match="kernel axpy: .*" + message):
        axpy(*good.values(), **sizes)


def test_refuses_a_wrong_number_of_arguments(axpy):
    with pytest.raises(TypeError, match="kernel axpy: takes 4 arguments, got 3"):
        axpy(array, array, np.float32(1), block=(1, 1, 1))


@pytest.mark.parametrize("types, message", [
    ("PPf", "takes 4 arguments, prepared for 3"),
    ("PPdi", r"argument 3 \(a\) is a numpy scalar of float32, prepared as d"),
    ("fPfi", r"argument 1 \(y\) is an array of float32 on the device, prepared as f"),
])
def test_refuses_to_prepare_other_types(axpy, types, message):
    with pytest.raises(TypeError, match=message):
        axpy.prepare(types)


def test_a_prepared_call_refuses_numbers_that_do_not_fit(axpy):
    axpy.prepare("PPfi")
    with pytest.raises(TypeError, match=r"argument 4 \(n\)"):
        axpy.prepared_call((1, 1), (1, 1, 1), array.gpudata, array.gpudata, 1.0, 10.5)
