"""The user's own kernels: CUDA C for the GPU, or for the CPU by the host compiler."""

from minidl.Backend import Device


class SourceModule:
    """
    Compiled CUDA C; PyCUDA's class of this name, on either machine.

        module = SourceModule('''
        __global__ void axpy(float *y, const float *x, float a, int n)
        {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] += a * x[i];
        }
        ''')
        axpy = module.get_function("axpy")
        axpy(y, x, np.float32(2), np.int32(n), block=(256, 1, 1), grid=(-(-n // 256), 1))

    Args:
        source: the text. Kernels are found by name if it is C, which is how it is taken by default.
        options: nvcc's. The CPU takes -D, -U, -I, -g and -G of them.
        keep: leave what the compiler made in a folder, and print its name.
        no_extern_c: the text is C++, as templates need; kernels then say extern "C" themselves, or
            are found by their mangled names.
        include_dirs: folders of headers.
        nvcc, arch, code, cache_dir: for the GPU.

    Raises:
        CompilerError: the compiler refused the text; the message has its words.
    """

    def __init__(
            self, source, nvcc="nvcc", options=None, keep=False, no_extern_c=False, arch=None,
            code=None, cache_dir=None, include_dirs=()):
        self.module = Device.current().SourceModule(
            source, nvcc, options, keep, no_extern_c, arch, code, cache_dir, list(include_dirs))

    def get_function(self, name):
        """The kernel `name`, to be called with its arguments, `block` and `grid`."""
        return self.module.get_function(name)

    def get_global(self, name):
        """(address, size in bytes) of a __device__ or __constant__ variable."""
        return self.module.get_global(name)
