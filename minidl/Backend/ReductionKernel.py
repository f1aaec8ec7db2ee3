"""A sum, maximum or other reduction over arrays from two lines of CUDA C."""

import functools

from minidl.Backend import Device


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
        self.make = lambda: Device.current().ReductionKernel(
            dtype_out, str(neutral), reduce_expr, map_expr, arguments, name, keep, options,
            preamble, allocator)

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
