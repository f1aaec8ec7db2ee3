"""A sum, maximum or other reduction over arrays from two lines of CUDA C."""

import functools

from minidl.Backend import CTypes, Device

preambleText = """{preamble}
typedef {number} out_type;
__device__ out_type minidlReduce(out_type a, out_type b) {{ return {reduce}; }}
"""
# The blocks' results, one after the other
joinText = """{preamble}
__global__ void {name}(out_type *out, const out_type *partial, int number)
{{
    out_type sum = {neutral};
    for (int i = 0; i < number; ++i)
        sum = minidlReduce(sum, partial[i]);
    *out = sum;
}}
"""


class ReductionKernel:
    """
    Maps every element to a number and reduces these to one; PyCUDA's class of this name.

        dot = ReductionKernel(
            np.float32, neutral="0", reduce_expr="a + b", map_expr="x[i] * y[i]",
            arguments="const float *x, const float *y")
        dot(x, y).get()

    Args:
        dtype_out: of the result.
        neutral: what `reduce_expr` leaves unchanged, and the result for no elements.
        reduce_expr: of two results `a` and `b` of neighbours; must be associative.
        map_expr: of `i`; None: the one array `in` itself.
        arguments: a declaration as of a C function; pointers are arrays of one common shape.
        name, keep, options, preamble: see ElementwiseKernel.
        allocator: PyCUDA's.

    The text is compiled by the first call. On the CPU neighbours are reduced with neighbours, and
    the order depends on the size alone: the result is the same for any number of threads.
    """

    def __init__(
            self, dtype_out, neutral, reduce_expr, map_expr=None, arguments=None,
            name="reduce_kernel", keep=False, options=None, preamble="", allocator=None):
        import numpy as np  # here, since the doctor must run where it is missing

        dtype = np.dtype(dtype_out)
        if dtype.char not in CTypes.names:
            raise TypeError(f"ReductionKernel: dtype_out must be one of C's numbers, got {dtype}")
        number = CTypes.names[dtype.char]
        preamble = preambleText.format(preamble=preamble, number=number, reduce=reduce_expr)
        join = joinText.format(preamble=preamble, name=name, neutral=neutral)
        self.make = lambda: Device.current().ReductionKernel(
            dtype, str(neutral), map_expr or "in[i]", arguments or f"const {number} *in", name,
            keep, options, preamble, join)

    @functools.cached_property
    def kernel(self):
        return self.make()

    def __call__(self, *args, **where):
        """
        The result as an array on the device, of no axes: `.get()` gives the number.

        Args:
            args: arrays and numbers, in the order of the declaration.
            range, slice: the values that `i` takes, see ElementwiseKernel.
            out: an array for the result.
            stream, allocator: PyCUDA's; on the CPU nothing.
        """
        return self.kernel(*args, **where)
