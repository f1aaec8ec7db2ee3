"""Matrix products on the device: shapes and outputs for the device's library."""

from minidl.Backend import Device
from minidl.Backend.gpuarray import empty


def matMul(a, b, out=None, bias=None, relu=None, transA=False, transB=False, alpha=1.0, beta=0.0):
    """
    out = alpha op(a) op(b) + beta out + bias

    Args:
        a, b: matrices of one dtype; op takes the transposed one if transA, transB.
        out: (rows of op(a), columns of op(b)); made if None.
        bias: a vector of one number a column of out, or None.
        relu: an array that takes max(out, 0) as well, or None; may be out.
    """
    rows, inner = (a.shape[1], a.shape[0]) if transA else a.shape
    innerB, columns = (b.shape[1], b.shape[0]) if transB else b.shape
    if inner != innerB:
        raise ValueError(
            f"matMul: cannot multiply {rows} x {inner} by {innerB} x {columns} "
            f"(from shapes {a.shape} and {b.shape})")
    if out is None:
        out = empty((rows, columns), a.dtype)
    elif out.shape != (rows, columns):
        raise ValueError(f"matMul: out must have shape {(rows, columns)}, got {out.shape}")
    elif out.strides[1] != out.itemsize:
        raise ValueError(f"matMul: the rows of out must be contiguous, got strides {out.strides}")
    if not a.dtype == b.dtype == out.dtype:
        raise TypeError(f"matMul: dtypes must be one, got {a.dtype}, {b.dtype} and {out.dtype}")

    if relu is not None and (relu.shape, relu.strides, relu.dtype) != (
            out.shape, out.strides, out.dtype):
        raise ValueError(f"matMul: relu must be as out, {out.dtype} of shape {out.shape}, "
                         f"got {relu.dtype} of {relu.shape}")

    Device.current().matMul(a, b, out, bias, relu, transA, transB, alpha, beta)
    return out
