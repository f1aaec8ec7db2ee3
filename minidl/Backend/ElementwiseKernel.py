"""A loop over the elements of arrays from one line of CUDA C."""

import functools

from minidl.Backend import Device


class ElementwiseKernel:
    """
    Computes `operation` for every element; PyCUDA's class of this name, on either machine.

        combine = ElementwiseKernel(
            "float a, float *x, float b, float *y, float *z", "z[i] = a * x[i] + b * y[i]")
        combine(5, x, 6, y, z)

    Args:
        arguments: a declaration as of a C function; pointers are arrays of one common shape.
        operation: what to do for element `i` of `n`.
        preamble: functions and #defines that the operation needs.
        loop_prep, after_loop: statements before and after each thread's loop.
        name, keep, options: see SourceModule.

    The text is compiled by the first call.
    """

    def __init__(
            self, arguments, operation, name="kernel", keep=False, options=None, preamble="",
            loop_prep="", after_loop=""):
        self.make = lambda: Device.current().ElementwiseKernel(
            arguments, operation, name, keep, options, preamble=preamble,
            loop_prep=loop_prep, after_loop=after_loop)

    @functools.cached_property
    def kernel(self):
        return self.make()

    def __call__(self, *args, **where):
        """
        Args:
            args: arrays and numbers, in the order of the declaration.
            range: the slice of values that `i` takes, in place of all elements.
            slice: the same, but negative numbers count from the end.
            stream: PyCUDA's; on the CPU nothing.
        """
        self.kernel(*args, **where)
