"""What a kernel must not do, and what the stand-in says to it."""


from tests.hostcuda import StandIn

pytestmark = StandIn.needed

kernels = '''
kernels = """
struct Pair { int first; double second; };
__global__ void put(float *y, int i) { y[i] = 1; }
__global__ void get(float *y, const float *x, int i) { y[0] = x[i]; }
__global__ void four(float *y, int i) { *(float4 *)y = *(const float4 *)(y + i); }
__global__ void table(float *y, int i)
{
    __shared__ float values[4];
    values[threadIdx.x] = 1;
    __syncthreads();
    y[0] = values[i];
}
__global__ void dynamic(float *y, int i)
{
    extern __shared__ float some[];
    some[i] = 1;
    y[0] = some[i];
}
__global__ void divide(int *y, int i) { y[0] = 7 / i; }
__global__ void check(int i) { assert(i == 0); }
__global__ void trap(int i) { if (i) __trap(); }
__global__ void forever(float *y)
{
    if (threadIdx.x == 0) __syncthreads();
    else { __shfl_sync(1, 0, 0); __syncthreads(); }
}
__global__ void mixed(float *y, int a, int b, double c, char d) { y[0] = a + b + c + d; }
"""


def launch(name, *arguments, threads=1, **named):
    function = SourceModule(kernels).get_function(name)
    function(*arguments, block=(threads, 1, 1), **named)


def number(value):
    return np.int32(value)

drv.init()
'''


def run(script, **variables):
    return StandIn.run(kernels + script, **variables)


def test_stray_reads_and_writes_are_found_and_end_the_context():
    out, err = run("""
def array(size):
    memory = drv.mem_alloc(4 * size)
    drv.memset_d32(memory, 0, size)
    return memory

def freed():
    memory = array(10)
    address = int(memory)
    memory.free()
    return address

def pinned(index):
    values = drv.pagelocked_empty(3, np.float32)
    launch("put", np.uintp(values.base.get_device_pointer()), number(index))

illegal = "cuCtxSynchronize failed: an illegal memory access was encountered"
for work in (
        lambda: launch("put", array(10), number(10)),
        lambda: launch("put", array(10), number(-1)),
        lambda: launch("put", array(10), number(1 << 20)),
        lambda: launch("get", array(1), array(10), number(-(1 << 20))),
        lambda: launch("put", np.uintp(0), number(3)),
        lambda: launch("put", np.uintp(12345), number(0)),
        lambda: launch("put", np.uintp(freed()), number(0)),
        lambda: pinned(3),
        lambda: launch("dynamic", array(1), number(3), shared=12),
        lambda: launch("table", array(1), number(4)),
        lambda: launch("four", array(8), number(1))):
    assert fault(work) == illegal
print("end")
""")
    assert out == "end\n"
    lines = [line for line in err.splitlines() if line.startswith("hostcuda: ")]
    expected = [
        "kernel put wrote outside of its memory: at byte 40 of an allocation of 40 bytes",
        "kernel put wrote outside of its memory: at byte -4 of an allocation of 40 bytes",
        "kernel put, block (0, 0, 0): reads or writes byte 4194304 of an allocation of 40 bytes",
        "kernel get, block (0, 0, 0): reads or writes ",
        "kernel put, block (0, 0, 0): reads or writes 0xc, which is no memory of the device",
        "kernel put: argument 1 points to 0x3039, which is no memory of the device",
        "kernel put: argument 1 points to byte 0 of a freed allocation of 40 bytes",
        "kernel put wrote outside of its memory: at byte 12 of an allocation of 12 bytes",
        "kernel dynamic, block (0, 0, 0): wrote beyond its 12 bytes of dynamic shared memory",
        "kernel table, block (0, 0, 0): uses an index beyond its array, or ",
        "kernel four, block (0, 0, 0): "]
    assert len(lines) == len(expected), err
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(f"hostcuda: {start}")
    assert "an address that is not aligned for its type" in lines[-1]


def test_a_kernel_that_fails_has_its_reason_told():
    out, err = run("""
for work in (
        lambda: launch("divide", drv.mem_alloc(4), number(0)),
        lambda: launch("check", number(3)),
        lambda: launch("trap", number(3)),
        lambda: launch("forever", drv.mem_alloc(4), threads=33)):
    print(fault(work).partition(": ")[2])
with context():  # other contexts go on, and so do the fibers
    y = np.zeros(1, np.float32)
    launch("table", drv.Out(y), number(2), threads=4)
    print(y[0])
""")
    assert out.splitlines() == [
        "unspecified launch failure", "device-side assert triggered", "unspecified launch failure",
        "unspecified launch failure", "1.0"]
    for words in ("divides a whole number by zero", "assertion failed: i == 0", "__trap()",
                  "wait at __syncthreads"):
        assert words in err


def test_memory_that_nothing_wrote_is_nan():
    run("""
with context():
    memory, pinned = drv.mem_alloc(40), drv.pagelocked_empty(3, np.float32)
    assert np.isnan(drv.from_device(memory, 10, np.float32)).all() and np.isnan(pinned).all()
    y = np.zeros(1, np.float32)
    launch("get", drv.Out(y), memory, number(9))
    assert np.isnan(y).all()
    launch("get", drv.Out(y), memory, number(11))  # beyond its end, too
    assert np.isnan(y).all()
    y = np.zeros(1, np.float32)
    launch("table", drv.Out(y), number(3), threads=3)  # shared memory
    assert np.isnan(y).all()
    for i in (0, 1):
        function = SourceModule(kernels).get_function("dynamic")
    launch("table", drv.Out(y), number(3), threads=4)
    assert y == 1
""")


def test_launches_with_wrong_sizes_are_refused():
    _, err = run("""
with context() as own:
    function = SourceModule(kernels).get_function("mixed")
    y = drv.mem_alloc(4)
    arguments = y, number(1), number(2), np.float64(3), np.int8(4)
    function(*arguments, block=(1, 1, 1))
    assert drv.from_device(y, 1, np.float32) == 10
    invalid = "cuLaunchKernel failed: invalid argument"
    assert refused(function, *arguments[:4], block=(1, 1, 1)) == invalid
    assert refused(function, *arguments, *arguments, block=(1, 1, 1)) == invalid
    for block in ((1025, 1, 1), (1, 1, 65), (0, 1, 1), (32, 32, 2)):
        assert refused(function, *arguments, block=block) == invalid
    for grid in ((1, 65536), (0, 1)):
        assert refused(function, *arguments, block=(1, 1, 1), grid=grid) == invalid
    dynamic = SourceModule(kernels).get_function("dynamic")
    more = dict(block=(1, 1, 1), shared=50000)
    assert refused(dynamic, y, number(12000), **more) == invalid
    dynamic.set_attribute(drv.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000)
    dynamic(y, number(12000), **more)
    assert "invalid" in refused(dynamic.set_attribute,
                                drv.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, 1 << 20)
    own.synchronize()  # nothing of this has harmed the context
    assert launches("mixed") == 1 and launches("dynamic") == 1
""")
    assert "kernel mixed: its arguments take 25 bytes, and 24 were given" in err
    assert "kernel dynamic: 50000 bytes of dynamic shared memory, and 49152 are allowed" in err


def test_copies_outside_of_memory_are_refused():
    _, err = run("""
with context() as own:
    memory, values = drv.mem_alloc(40), np.zeros(11, np.float32)
    invalid = "failed: invalid argument"
    assert invalid in refused(drv.memcpy_htod, memory, values)
    assert invalid in refused(drv.memcpy_dtoh, values, memory)
    assert invalid in refused(drv.memcpy_dtod, memory, int(memory) + 4, 40)
    assert invalid in refused(drv.memset_d32, memory, 0, 11)
    assert invalid in refused(drv.memset_d32, int(memory) + 2, 0, 1)
    assert invalid in refused(drv.memcpy_htod, int(memory) - 4, values[:1])
    address = int(memory)
    memory.free()
    assert invalid in refused(drv.memcpy_htod, address, values[:1])
    drv.memcpy_htod(drv.mem_alloc(4), values[:1])
    own.synchronize()
""")
    assert "cuMemcpyHtoD of 44 bytes: not all are in memory of the device" in err
    assert "from byte 0 of a freed allocation of 40 bytes on" in err
