"""Matrix products on the device: shapes, checks and outputs for the device's library."""

import functools

from minidl.Backend import Device
from minidl.Backend.gpuarray import adopted


def matMul(a, b, out=None, bias=None, relu=None, transA=False, transB=False, alpha=1.0, beta=0.0):
    """
    out = alpha op(a) op(b) + beta out + bias

    Args:
        a, b: matrices of one dtype, of any strides; op takes the transposed one if transA, transB.
        out: (rows of op(a), columns of op(b)), with contiguous rows; made if None.
        bias: a vector of one number a column of out, or None.
        relu: an array like out that takes max(out, 0) as well, or None; may be out.
    """
    device = Device.current()
    if type(a) is not device.GPUArray or type(b) is not device.GPUArray:
        a, b = adopted(a), adopted(b)
    shape, row = resultShapes(a.shape, b.shape, transA, transB)
    if out is None:
        out = device.empty(shape, a.dtype)
    layout = out.layout
    if layout is None or a.layout != layout or b.layout != layout or out.shape != shape:
        layout = checkedLayout(a, b, out, shape)
    if bias is not None and (bias.layout != layout or bias.shape != row):
        raise ValueError(f"matMul: bias must be contiguous, of dtype {a.dtype} and shape {row}, "
                         f"got {bias.dtype} of shape {bias.shape}")
    if relu is not None and relu is not out and (
            relu.shape != shape or relu.strides != out.strides or relu.dtype != out.dtype):
        raise ValueError(f"matMul: relu must be as out, {out.dtype} of shape {shape}, "
                         f"got {relu.dtype} of {relu.shape}")

    device.matMul(a, b, out, bias, relu, transA, transB, alpha, beta)
    return out


@functools.lru_cache(1 << 12)
def resultShapes(shapeA, shapeB, transA, transB):
    """The shapes of the product and of one of its rows."""
    if len(shapeA) != 2 or len(shapeB) != 2:
        raise ValueError(f"matMul: factors must have two axes, got shapes {shapeA} and {shapeB}")
    rows, inner = reversed(shapeA) if transA else shapeA
    innerB, columns = reversed(shapeB) if transB else shapeB
    if inner != innerB:
        raise ValueError(
            f"matMul: cannot multiply {rows} x {inner} by {innerB} x {columns} "
            f"(from shapes {shapeA} and {shapeB})")
    return (rows, columns), (columns,)


def checkedLayout(a, b, out, shape):
    """The dtype's letter of matrices that a quick look did not find contiguous and of one."""
    if out.shape != shape:
        raise ValueError(f"matMul: out must have shape {shape}, got {out.shape}")
    if not a.dtype == b.dtype == out.dtype:
        raise TypeError(f"matMul: dtypes must be one, got {a.dtype}, {b.dtype} and {out.dtype}")
    if out.strides[1] != out.itemsize or (
            shape[0] > 1 and out.strides[0] < shape[1] * out.itemsize):
        raise ValueError(f"matMul: out must have contiguous rows, got strides {out.strides}")
    return out.dtype.char
