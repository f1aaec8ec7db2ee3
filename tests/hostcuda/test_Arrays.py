"""PyCUDA as it is computes right on the stand-in, in every order of blocks and threads."""

import pytest

from tests.hostcuda import StandIn

pytestmark = StandIn.needed

orders = pytest.mark.parametrize("order", ["forward", "reverse", "shuffle:5"])

script = '''
import pycuda.autoprimaryctx
from pycuda import cumath, gpuarray, tools
from pycuda.elementwise import ElementwiseKernel
from pycuda.reduction import ReductionKernel
from pycuda.scan import ExclusiveScanKernel, InclusiveScanKernel
rng = np.random.default_rng(0)
near = lambda a, b: np.testing.assert_allclose(a, b, 1e-5, 1e-6)
'''


def run(text, order, **variables):
    return StandIn.run(script + text, HOSTCUDA_ORDER=order, **variables)


@orders
def test_arrays(order):
    run("""
a, b = rng.standard_normal((2, 37, 53)).astype(np.float32)
x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
near((2 * x + y * x - 1 / y).get(), 2 * a + b * a - 1 / b)
near((x ** 2).get(), a ** 2)
near(cumath.exp(x).get(), np.exp(a))
near(gpuarray.maximum(x, y).get(), np.maximum(a, b))
near(gpuarray.if_positive(x, x, y).get(), np.where(a > 0, a, b))
assert ((x > y).get() == (a > b)).all()
x += y
near(x.get(), a + b)
a += b
assert (gpuarray.zeros((3, 5), np.float64).get() == 0).all()
assert (gpuarray.empty(700, np.int32).fill(7).get() == 7).all()
assert (gpuarray.arange(1000, dtype=np.int32).get() == np.arange(1000)).all()
near(x[3:9, 5:50].get(), a[3:9, 5:50])
near(x.reshape(53, 37).get(), a.reshape(53, 37))
near(x[5].get(), a[5])
x[7:9] = y[1:3]
a[7:9] = b[1:3]
near(x.get(), a)
near(x.astype(np.float64).get(), a)
long = rng.standard_normal(100003).astype(np.float32)
z = gpuarray.to_gpu(long)
for size in (1, 31, 1000, 100003):
    part = z[:size]
    assert abs(gpuarray.sum(part).get() - long[:size].sum(dtype=np.float64)) < 1e-2
    assert abs(gpuarray.dot(part, part).get() / (long[:size] ** 2).sum() - 1) < 1e-5
    assert gpuarray.max(part).get() == long[:size].max()
    assert gpuarray.min(part).get() == long[:size].min()
memory = drv.mem_alloc(4 * 12)
drv.memset_d2d32(memory, 16, 5, 3, 3)
near(drv.from_device(memory, (3, 4), np.uint32)[:, :3], 5)
""", order)


@orders
def test_made_kernels(order):
    run("""
a, b = rng.standard_normal((2, 5000)).astype(np.float32)
x, y, z = gpuarray.to_gpu(a), gpuarray.to_gpu(b), gpuarray.empty(5000, np.float32)
mix = ElementwiseKernel(
    "float a, const float *x, float b, const float *y, float *z", "z[i] = f(a, x[i]) + b * y[i]",
    "mix", preamble="__device__ float f(float a, float x) { return a * x; }")
mix(2, x, 3, y, z)
near(z.get(), 2 * a + 3 * b)
mix(2, x, 3, y, z, range=slice(10, 20, 1))
for dtype, name in ((np.float32, "float"), (np.float64, "double"), (np.int64, "long")):
    c = rng.integers(-9, 9, 4097).astype(dtype)
    norm = ReductionKernel(dtype, "0", "a + b", "x[i] * x[i]", f"const {name} *x")
    assert norm(gpuarray.to_gpu(c)).get() == (c * c).sum()
for size in (1, 100, 5000):
    c = rng.integers(0, 9, size).astype(np.int32)
    v = gpuarray.to_gpu(c)
    assert (InclusiveScanKernel(np.int32, "a + b")(v).get() == c.cumsum()).all()
    v = gpuarray.to_gpu(c)
    assert (ExclusiveScanKernel(np.int32, "a + b", 0)(v).get() == c.cumsum() - c).all()
""", order)


@orders
def test_own_kernels(order):
    out, err = run("""
text = \"\"\"
struct Pair { char name; double scale; int shift[2]; };
__constant__ float table[4];
__device__ int counter;

__global__ void stage(float *y, const float *x, int n)
{
    __shared__ float tile[64];
    extern __shared__ double more[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = i < n ? x[i] : 0;
    more[63 - threadIdx.x] = i;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2)
    {
        if (threadIdx.x < half) tile[threadIdx.x] += tile[threadIdx.x + half];
        __syncthreads();
    }
    float sum = threadIdx.x < 32 ? (float)more[threadIdx.x] : 0;
    for (int offset = 16; offset; offset /= 2)
        sum += __shfl_down_sync(0xFFFFFFFF, sum, offset);
    if (threadIdx.x == 0)
    {
        y[2 * blockIdx.x] = tile[0], y[2 * blockIdx.x + 1] = sum;
        atomicAdd(&counter, 1);
    }
}
__global__ void use(double *y, Pair p, char a, short b, float c)
{
    int i = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    y[i] = a + p.scale * table[threadIdx.x] + p.shift[1] + b + c + 1000 * blockIdx.y;
}
__global__ void hello() { printf("hello from %d\\\\n", blockIdx.x); }
\"\"\"
module = SourceModule(text)
stage, use = module.get_function("stage"), module.get_function("use")
a = rng.standard_normal(300).astype(np.float32)
y = np.zeros((5, 2), np.float32)
stage(drv.Out(y), drv.In(a), np.int32(300), block=(64, 1, 1), grid=(5, 1), shared=512)
near(y[:, 0], np.append(a, np.zeros(20, np.float32)).reshape(5, 64).sum(1))
near(y[:, 1], [sum(64 * n + 63 - k for k in range(32)) for n in range(5)])
address, size = module.get_global("counter")
assert size == 4 and drv.from_device(address, 1, np.int32) == 5
drv.memset_d32(address, 9, 1)
assert drv.from_device(address, 1, np.int32) == 9
table, size = module.get_global("table")
assert size == 16
drv.memcpy_htod(table, np.arange(4, dtype=np.float32))
assert "failed" in refused(drv.memcpy_htod, table, np.zeros(5, np.float32))
assert "not found" in refused(module.get_global, "nothing")
assert "not found" in refused(module.get_function, "nothing")

pair = np.zeros((), np.dtype([("name", "i1"), ("scale", "f8"), ("shift", "2i4")], align=True))
pair["scale"], pair["shift"] = 0.5, (3, 4)
out = np.ones(24)
use(drv.InOut(out), pair[()], np.int8(1), np.int16(2), np.float32(8), block=(4, 3, 2))
near(out, np.tile(15 + 0.5 * np.arange(4), 6))
stream = drv.Stream()
stage.prepare("PPi")
z = gpuarray.zeros(10, np.float32)
x = gpuarray.to_gpu(a)
stage.prepared_async_call(
    (5, 1), (64, 1, 1), stream, z.gpudata, x.gpudata, 300, shared_size=512)
stage.prepared_call((1, 1), (64, 1, 1), z.gpudata, x.gpudata, 64, shared_size=512)
stream.synchronize()
near(z.get(), y.ravel())
first, last = drv.Event(), drv.Event()
seconds = stage.prepared_timed_call((5, 1), (64, 1, 1), z.gpudata, x.gpudata, 300, shared_size=512)
assert 0 < seconds() < 1 and launches("stage") == 4
assert stage.num_regs > 0 and stage.max_threads_per_block == 1024

f = module.get_function("hello")
f(block=(1, 1, 1), grid=(2, 1))

templates = SourceModule(\"\"\"
template <class T> __global__ void twice(T *y) { y[threadIdx.x] *= 2; }
template __global__ void twice<float>(float *);
__device__ float bias = 1.5f;
__global__ void plain(float *y) { y[threadIdx.x] += bias; }
\"\"\", no_extern_c=True)
z = gpuarray.arange(8, dtype=np.float32)
templates.get_function("_Z5twiceIfEvPT_")(z, block=(8, 1, 1))
templates.get_function("_Z5plainPf")(z, block=(8, 1, 1))
near(z.get(), 2 * np.arange(8) + 1.5)

# How kernels were launched before cuLaunchKernel.
old = templates.get_function("_Z5plainPf")
old._set_block_shape(8, 1, 1)
old._param_setv(0, np.uintp(int(z.gpudata)))
old._param_set_size(8)
old._launch()
near(z.get(), 2 * np.arange(8) + 3)
""", order)
    assert sorted(out.splitlines()) == ["hello from 0", "hello from 1"]
    assert "hostcuda: cuMemcpyHtoD of 20 bytes" in err


def test_memory_pools_and_copies():
    run("""
pool, pinned = tools.DeviceMemoryPool(), tools.PageLockedMemoryPool()
before = calls("cuMemAlloc")
for i in range(5):
    x = gpuarray.zeros(1000, np.float32, allocator=pool.allocate)
    del x
assert calls("cuMemAlloc") == before + 1 and pool.held_blocks == 1
host = pinned.allocate((10, 10), np.float32)
host[:] = 3
assert (gpuarray.to_gpu(host).get() == 3).all()
del host
pinned.stop_holding()
pool.stop_holding()

stream = drv.Stream(1)
a = drv.pagelocked_empty((6, 7), np.float32)
a[:] = rng.standard_normal((6, 7))
x = gpuarray.to_gpu_async(a, stream=stream)
result = x.get_async(stream=stream)
stream.synchronize()
assert (result == a).all()

memory, pitch = drv.mem_alloc_pitch(7 * 4, 6, 4)
copy = drv.Memcpy2D()
copy.set_src_host(a)
copy.set_dst_device(memory)
copy.src_pitch = copy.width_in_bytes = 28
copy.dst_pitch, copy.height = pitch, 6
copy(aligned=True)
back = np.zeros((6, 7), np.float32)
copy = drv.Memcpy2D()
copy.set_src_device(memory)
copy.set_dst_host(back)
copy.src_pitch, copy.height = pitch, 6
copy.dst_pitch = copy.width_in_bytes = 28
copy(stream)
stream.synchronize()
assert (back == a).all()

cube = rng.standard_normal((4, 5, 6)).astype(np.float32)
x = gpuarray.to_gpu(cube)
assert (x[1:3, 2:4, 1:5].get() == cube[1:3, 2:4, 1:5]).all()
assert "invalid argument" in refused(x[1:3, 2:4, 1:5].copy)  # PyCUDA takes too little memory
y = gpuarray.zeros((4, 5, 6), np.float32)
y[::2, 1:3, :4] = x[::2, 1:3, :4]
assert (y.get()[::2, 1:3, :4] == cube[::2, 1:3, :4]).all() and (y.get()[1] == 0).all()

managed = drv.managed_zeros(10, np.float32)
SourceModule("__global__ void one(float *x) { x[threadIdx.x] = 1; }").get_function("one")(
    managed, block=(10, 1, 1))
drv.Context.synchronize()
assert (managed == 1).all()
del x, y, stream, managed, memory
""", "forward")


def test_what_is_not_there_says_so():
    _, err = run("""
assert "not supported" in refused(drv.TextureReference)
assert "not supported" in refused(drv.TextureReference)
""", "forward")
    assert err == "hostcuda: the stand-in does not have cuTexRefCreate\n"


def test_calls_that_pycuda_does_not_make():
    run("""
from pycuda.compiler import compile
found, flags = ctypes.c_void_p(), ctypes.c_ulonglong(0)
for name, version in ((b"cuMemAlloc", 3020), (b"cuCtxCreate", 13000), (b"cuLaunchKernel", 4000)):
    assert library.cuGetProcAddress_v2(name, ctypes.byref(found), version, flags, None) == 0
assert ctypes.cast(library.cuLaunchKernel, ctypes.c_void_p).value == found.value
assert library.cuGetProcAddress_v2(b"cuNothing", ctypes.byref(found), 13000, flags, None) == 500

# Each argument by an address of its own.
image = compile("__global__ void f(int *x, char c, double d) { x[threadIdx.x] = c + d; }")
module, function, x = ctypes.c_void_p(), ctypes.c_void_p(), drv.mem_alloc(16)
assert library.cuModuleLoadData(ctypes.byref(module), image) == 0
assert library.cuModuleGetFunction(ctypes.byref(function), module, b"f") == 0
values = ctypes.c_void_p(int(x)), ctypes.c_byte(3), ctypes.c_double(4)
pointers = (ctypes.c_void_p * 3)(*map(ctypes.addressof, values))
assert library.cuLaunchKernel(function, 1, 1, 1, 4, 1, 1, 0, None, pointers, None) == 0
assert (drv.from_device(x, 4, np.int32) == 7).all()
assert library.cuModuleUnload(module) == 0
assert library.cuLaunchKernel(function, 1, 1, 1, 4, 1, 1, 0, None, pointers, None) == 400
assert library.cuModuleUnload(module) == 400
assert library.cuModuleLoadData(ctypes.byref(module), b"//ptx" + bytes(100)) == 200
assert library.cuStreamSynchronize(ctypes.c_void_p(12345)) == 400
""", "forward")
