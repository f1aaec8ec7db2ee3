"""What a convolution of large filters takes of memory beside its data, in a process of its own."""

from tests.Processes import run

script = """
import numpy as np
from minidl.Backend import gpuarray
from minidl.Modules import Conv2D
from tests.Memory import peak

module = Conv2D(3, 64, 11)
data = gpuarray.to_gpu(np.random.default_rng(0).standard_normal((128, 3, 150, 150), np.float32))
grad = gpuarray.empty(module(data).shape)
grad.fill(1)
module.backward(grad)

arrays = data, module.data, grad, module.grad
print(sum(array.nbytes for array in arrays), peak())
"""


def test_forward_and_backward_of_11x11_need_little_beside_their_arrays():
    arrays, peak = map(int, run(script, MINIDL_BACKEND="cpu")[0].split())

    # All windows of the batch side by side would be 3.6 GB.
    assert arrays == 4 * 128 * 2 * (3 * 150 ** 2 + 64 * 140 ** 2)
    assert peak < 1.5e9
