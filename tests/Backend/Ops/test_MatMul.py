"""What does not fit is refused; the products themselves: tests/Backend/Cpu/test_MatMul.py."""

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops.MatMul import matMul


def zeros(*shape, dtype=np.float32):
    return gpuarray.zeros(shape, dtype)


@pytest.mark.parametrize("a, b, arguments, message", [
    ((2, 5), (3, 4), {}, "cannot multiply 2 x 5 by 3 x 4"),
    ((2, 5), (5, 4), dict(transA=True), "cannot multiply 5 x 2 by 5 x 4"),
    ((2, 5), (5, 4), dict(transB=True), "cannot multiply 2 x 5 by 4 x 5"),
    ((2, 5), (5, 4), dict(out=zeros(2, 5)), r"out must have shape \(2, 4\), got \(2, 5\)"),
])
def test_refuses_shapes_that_do_not_fit(a, b, arguments, message):
    with pytest.raises(ValueError, match=f"matMul: {message}"):
        matMul(zeros(*a), zeros(*b), **arguments)


def test_refuses_several_dtypes():
    with pytest.raises(TypeError, match="matMul: dtypes must be one, got float32, float64"):
        matMul(zeros(2, 3), zeros(3, 4, dtype=np.float64))
