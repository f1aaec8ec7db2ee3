"""Numbers of 16 bits: what their dtypes mean, and how Half.h rounds on every machine."""

import ctypes

import numpy as np
import pytest

from minidl.Backend import KernelFile
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Precision import isFloating, isHalf, sumType

loops = """
extern "C" void narrow(const float *x, unsigned short *y, int size)
{
    for (int i = 0; i < size; ++i)
        y[i] = Number(x[i]).bits;
}

extern "C" void widen(const Number *x, float *y, int size)
{
    for (int i = 0; i < size; ++i)
        y[i] = x[i];
}
"""
everyBits = np.arange(1 << 16, dtype=np.uint16)


def convert(number, function, values, dtype):
    """What a function of `loops` makes of host values, for Half.h's type `number`."""
    text = (KernelFile.folder / "Half.h").read_text() + f"typedef {number} Number;" + loops
    made = np.empty(values.shape, dtype)
    getattr(HostCompiler.load("Half", text), function)(
        ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(made.ctypes.data), values.size)
    return made


@pytest.fixture(scope="module")
def floats():
    """float32 of all sizes: every number of 16 bits, halfway between two, and a bit beside that."""
    rng = np.random.default_rng(0)
    halves = everyBits.view(np.float16).astype(np.float32).view(np.uint32).astype(np.int64)
    brains = everyBits.astype(np.int64) << 16
    edges = [each + step for each in (halves, brains, halves + 0x1000, brains + 0x8000)
             for step in (-1, 0, 1)]
    return np.concatenate([*edges, rng.integers(0, 2**32, 10**6)]).astype(np.uint32).view(
        np.float32)


def test_float16_becomes_float():
    made = convert("Half", "widen", everyBits, np.float32)

    np.testing.assert_array_equal(made, everyBits.view(np.float16).astype(np.float32))
    assert np.array_equal(np.signbit(made), everyBits >> 15)


def test_float_is_rounded_to_float16(floats):
    made = convert("Half", "narrow", floats, np.uint16).view(np.float16)

    with np.errstate(over="ignore"):
        expected = floats.astype(np.float16)
    np.testing.assert_array_equal(made, expected)
    numbers = ~np.isnan(floats)
    np.testing.assert_array_equal(made[numbers].view(np.uint16), expected[numbers].view(np.uint16))


def test_bfloat16_becomes_float():
    made = convert("Bfloat16", "widen", everyBits, np.uint32)

    np.testing.assert_array_equal(made, everyBits.astype(np.uint32) << 16)


def test_float_is_rounded_to_bfloat16(floats):
    numbers, made = ~np.isnan(floats), convert("Bfloat16", "narrow", floats, np.uint16)

    bits = floats.view(np.uint32).astype(np.int64)
    expected = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # to nearest, ties to even
    np.testing.assert_array_equal(made[numbers], expected[numbers])
    assert (made[~numbers] & 0x7FFF > 0x7F80).all()  # NaN


@pytest.mark.parametrize("dtype, floating, half, sums", [
    ("float32", True, False, "float32"), ("float64", True, False, "float64"),
    ("float16", True, True, "float32"), ("int32", False, False, "int32")])
def test_dtypes(dtype, floating, half, sums):
    dtype = np.dtype(dtype)

    assert (isFloating(dtype), isHalf(dtype), sumType(dtype).name) == (floating, half, sums)
    assert sumType(dtype.type).name == sums


def test_bfloat16_counts_as_floating_point():
    dtype = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)

    assert isFloating(dtype) and isHalf(dtype) and sumType(dtype) == np.float32
