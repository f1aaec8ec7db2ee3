"""The GPU as a device: the order of its work, what a steady step may do, and the end of memory."""


import numpy as np
import pytest

from minidl.Backend import Device, ElementwiseKernel, ReductionKernel, gpuarray
from minidl.Backend.Ops import Activation, Vector
from tests.Processes import run

pytest.importorskip("pycuda", reason="tests PyCUDA's arrays, which make test-cuda installs")
import pycuda.driver as drv  # noqa: E402
import pycuda.gpuarray  # noqa: E402
from pycuda.compiler import SourceModule  # noqa: E402

onStandIn = pytest.mark.skipif(
    Device.current().name != "cuda" or "stand-in" not in Device.current().describe(),
    reason="a GPU runs threads in an order of its own, and has memory of its own")

digits = """
import sys
import numpy as np
import minidl
from minidl.Backend import Device, gpuarray
from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Datasets import Digits
from minidl.Handlers import Trainer
from minidl.Modules import Activation, BatchNorm, Flatten, Linear, relu
from minidl.Optimizers import MomentumSGD

minidl.seed(1)
data, labels, _, _ = map(gpuarray.to_gpu, Digits().split())
net = Sequential(name="digits")
for module in Flatten(), Linear(64, 128), BatchNorm(128), Activation(relu), Linear(128, 10):
    net.append(module)
cost, optimizer = CrossEntropy(), MomentumSGD(learnRate=0.1)
optimizer.setupOn(net, useGlobalState=True)
trainer = Trainer(net, cost, optimizer, batchsize=64)
"""


def test_network_learns_the_same_on_the_cpu_and_on_the_gpu(tmp_path):
    script = digits + "trainer.train(data, labels)\nnet.save(sys.argv[1])\n"
    for name in "cpu", "cuda":
        run(script, "-c", script, str(tmp_path / f"{name}.hdf"), MINIDL_BACKEND=name)

    cpu, cuda = (arraysOf(tmp_path / f"{name}.hdf") for name in ("cpu", "cuda"))
    assert cpu.keys() == cuda.keys() and len(cpu) >= 9
    for name, values in cpu.items():
        np.testing.assert_allclose(cuda[name], values, 0, 1e-4, err_msg=name)


def arraysOf(path):
    """{name: values} of all arrays in an h5 file."""
    import h5py

    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "dtype") else None)
    return found


def test_thousand_steps_allocate_nothing():
    out, _ = run(digits + """
import gc, os, resource
import pycuda.driver as drv

device = Device.current()
batch, target = data[:64], labels[:64]
def step():
    optimizer.zeroGradParams()
    grad = cost(net(batch), target, queryError=False)
    net.backward(grad, updGrad=False)
    optimizer.update()
def state():
    gc.collect()
    device.synchronize()
    memory = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
    free, _ = drv.mem_get_info()
    return device.memoryPool.systemAllocations, free, len(os.listdir("/proc/self/fd")), memory

for _ in range(20):
    step()
first = state()
for n in range(1000):
    step()
    if n % 50 == 0:
        device.synchronize()
last = state()
print(first, last, last[3] - first[3])
assert first[:3] == last[:3], (first, last)
assert last[3] - first[3] < 5 << 20, (first, last)
""")


# PyCUDA's own work and minidl's, in the order of the calls

def test_pycuda_sees_what_minidl_has_computed(rng):
    values = rng.standard_normal(1000).astype(np.float32)
    array = gpuarray.to_gpu(values)
    out = Activation.forward("relu", array)
    back = np.empty_like(values)
    drv.memcpy_dtoh(back, out.gpudata)
    np.testing.assert_array_equal(back, np.maximum(values, 0))

    plain = pycuda.gpuarray.GPUArray(out.shape, out.dtype, gpudata=int(out.gpudata), base=out)
    Vector.addScaled(out, out, out=out)
    np.testing.assert_array_equal(plain.get(), 2 * np.maximum(values, 0))
    Vector.addScaled(out, out, out=out)
    np.testing.assert_array_equal((plain + 1).get(), 4 * np.maximum(values, 0) + 1)


def test_minidl_sees_what_pycudas_kernels_have_computed(rng):
    values = rng.standard_normal(1000).astype(np.float32)
    x = pycuda.gpuarray.to_gpu(values)
    double = SourceModule("__global__ void twice(float *x, int n)"
                          "{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] *= 2; }"
                          ).get_function("twice")
    for _ in range(3):
        double(x, np.int32(1000), block=(128, 1, 1), grid=(8, 1))
        x = Activation.forward("leakyRelu", x, (0.5,))
    expected = values
    for _ in range(3):
        expected = np.where(expected < 0, expected, 2 * expected).astype(np.float32)
    np.testing.assert_array_equal(x.get(), expected)


def test_work_of_other_streams_can_wait_for_minidls(rng):
    values = rng.standard_normal(1000).astype(np.float32)
    other, done = drv.Stream(1), drv.Event()
    out = Activation.forward("relu", gpuarray.to_gpu(values))
    done.record(Device.current().stream)
    other.wait_for_event(done)
    back = drv.pagelocked_empty(1000, np.float32)
    drv.memcpy_dtoh_async(back, out.ptr, other)
    other.synchronize()
    np.testing.assert_array_equal(back, np.maximum(values, 0))


def test_elementwise_and_reduction_kernels_run_in_the_stream_that_is_named(rng):
    values = rng.standard_normal(1000).astype(np.float32)
    x, y = gpuarray.to_gpu(values), gpuarray.zeros(1000)
    Device.current().synchronize()
    stream = drv.Stream(1)
    twice = ElementwiseKernel("const float *x, float *y", "y[i] = 2 * x[i]")
    total = ReductionKernel(np.float32, neutral="0", reduce_expr="a + b", map_expr="x[i]",
                            arguments="const float *x")
    out = gpuarray.zeros(())
    Device.current().synchronize()
    twice(x, y, stream=stream)
    total(y, out=out, stream=stream)
    back = drv.pagelocked_empty(1, np.float32)
    drv.memcpy_dtoh_async(back, out.ptr, stream)
    stream.synchronize()
    np.testing.assert_allclose(back[0], 2 * values.sum(dtype=np.float64), 1e-4, 1e-4)


# Kernels are right for any number of threads in a block, in whatever order these run.

subset = ["tests/Modules/test_BatchNormNumbers.py", "tests/Modules/test_SoftMax.py", "tests/Cost",
          "tests/Backend/Ops", "tests/Modules/test_Activation.py"]
inBlocks = """
import sys, pytest
import minidl.Backend.Cuda.CudaDevice as module
module.block = int(sys.argv[1])
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "not outlier", *sys.argv[2:]]))
"""  # one thread that sums 2000 numbers beside an outlier is less exact than 256 are


@pytest.mark.parametrize("threads", [1, 2, 32, 1024])
def test_kernels_in_blocks_of_another_size(threads):
    out, _ = run(inBlocks, "-c", inBlocks, str(threads), *subset)
    assert " passed" in out and "failed" not in out


@onStandIn
@pytest.mark.parametrize("order", ["reverse", "shuffle:7"])
def test_kernels_with_threads_in_another_order(order):
    out, _ = run(inBlocks, "-c", inBlocks, "256", *subset, HOSTCUDA_ORDER=order)
    assert " passed" in out and "failed" not in out


# The end of memory

def test_an_array_that_is_too_large_is_refused_with_all_numbers():
    _, total = drv.mem_get_info()
    rows = 2 * total // 4000
    with pytest.raises(gpuarray.OutOfMemoryError) as caught:
        gpuarray.empty((rows, 1000))
    words = str(caught.value)
    assert isinstance(caught.value, MemoryError)
    assert f"an array of shape ({rows}, 1000) and float32" in words
    assert f"asked for {rows * 4000} bytes" in words
    assert f"of the device's {total} are free" in words


def test_training_goes_on_after_a_smaller_batch():
    run(digits + """
import pycuda.driver as drv
from minidl.Backend.gpuarray import OutOfMemoryError

device = Device.current()
norm = BatchNorm(1 << 12)
norm.evalMode()
def attempt(rows):
    while True:
        try:
            return rows, norm(gpuarray.zeros((rows, 1 << 12)))[:2].get()
        except OutOfMemoryError:
            rows //= 2
rows, expected = attempt(8)
norm.reset()
device.memoryPool.freeHeld()
before, total = drv.mem_get_info()
for _ in range(50):
    norm.reset()
    rows, out = attempt(total >> 14)  # one array of them would take all memory
    assert 8 < rows < total >> 15 and (out == expected).all()
norm.reset()
device.memoryPool.freeHeld()
after, _ = drv.mem_get_info()
assert abs(after - before) < 1 << 20, (before, after)
""", HOSTCUDA_MEMORY=48 << 20)


def test_nvcc_is_found_by_pycuda_too():
    run("""
import os, pycuda.gpuarray
from minidl.Backend import gpuarray
x = gpuarray.zeros(7)
assert (pycuda.gpuarray.sum(x + 1).get()) == 7
""")
