"""Work on streams is run when somebody waits for it: a missing wait shows, every time."""

from tests.hostcuda import StandIn

pytestmark = StandIn.needed

kernels = '''
from pycuda import gpuarray
drv.init()
text = """
__global__ void fill(float *y, float value) { y[threadIdx.x] = value; }
__global__ void copy(float *y, const float *x) { y[threadIdx.x] = x[threadIdx.x]; }
"""
nonBlocking = 1


class Work:
    def __init__(self):
        module = SourceModule(text)
        self.fill = lambda y, value, stream=None: module.get_function("fill")(
            y, np.float32(value), block=(4, 1, 1), stream=stream)
        self.copy = lambda y, x, stream=None: module.get_function("copy")(
            y, x, block=(4, 1, 1), stream=stream)

    def values(self, memory):
        return drv.from_device(memory, 4, np.float32)
'''


def run(script, **variables):
    return StandIn.run(kernels + script, **variables)


def test_work_is_run_when_somebody_waits_for_it():
    run("""
with context() as own:
    work, stream = Work(), drv.Stream(nonBlocking)
    event = drv.Event()
    waits = [stream.synchronize, own.synchronize, stream.is_done, event.synchronize, event.query,
             lambda: drv.mem_alloc(4).free()]
    for wait in waits:
        y = drv.mem_alloc(16)
        work.fill(y, 3, stream)
        event.record(stream)
        assert np.isnan(work.values(y)).all()  # a copy without a stream does not wait for this one
        assert wait() in (None, True, event, stream)
        assert (work.values(y) == 3).all()
        y.free()
    del stream, event, y
""")


def test_the_null_stream_waits_for_blocking_streams_only():
    run("""
with context():
    work, y = Work(), drv.mem_alloc(16)
    blocking, other = drv.Stream(), drv.Stream(nonBlocking)
    work.fill(y, 1, blocking)
    assert (work.values(y) == 1).all()
    work.fill(y, 2)  # on the NULL stream
    work.fill(y, 3, blocking)
    work.fill(y, 4, other)
    assert (work.values(y) == 3).all()
    other.synchronize()
    assert (work.values(y) == 4).all()
    del blocking, other, y
""")


def test_events_order_streams():
    run("""
with context() as own:
    work = Work()
    x, y, z = (drv.mem_alloc(16) for i in range(3))
    first, second, third = (drv.Stream(nonBlocking) for i in range(3))
    work.fill(x, 1, first)
    done = drv.Event().record(first)
    work.fill(x, 2, first)
    second.wait_for_event(done)
    work.copy(y, x, second)
    work.copy(z, x, third)  # does not wait
    third.synchronize()
    second.synchronize()
    assert np.isnan(work.values(z)).all() and (work.values(y) == 1).all()
    first.synchronize()
    assert (work.values(x) == 2).all()

    again = drv.Event()
    third.wait_for_event(again)  # which was never recorded
    again.record(third)
    work.fill(x, 5, third)
    last = drv.Event().record(third)
    assert "device not ready" in refused(last.time_since, again)
    assert last.synchronize().time_since(again) >= 0
    assert (work.values(x) == 5).all()

    work.fill(x, 6, first)
    done.record(first)
    own.synchronize()
    del first, second, third, done, again, last, x, y, z
""")


def test_pageable_memory_is_read_at_once_and_pinned_memory_later():
    run("""
with context():
    stream = drv.Stream(nonBlocking)
    # (PyCUDA's register_host_memory refuses every array of the numpy of today.)
    registered = np.zeros(4, "f")
    address, size = ctypes.c_void_p(registered.ctypes.data), ctypes.c_size_t(16)
    assert library.cuMemHostRegister_v2(address, size, 0) == 0
    for values, expected in ((np.zeros(4, "f"), 0), (drv.pagelocked_zeros(4, "f"), 1),
                             (registered, 1)):
        memory = drv.mem_alloc(16)
        drv.memcpy_htod_async(memory, values, stream)
        values[:] = 1
        stream.synchronize()
        assert (drv.from_device(memory, 4, np.float32) == expected).all()

    result = drv.pagelocked_empty(4, "f")
    drv.memcpy_dtoh_async(result, memory, stream)
    assert np.isnan(result).all()
    stream.synchronize()
    assert (result == 1).all()
    result = np.zeros(4, "f")
    drv.memcpy_dtoh_async(result, memory, stream)  # has come when the call returns
    assert (result == 1).all()
    drv.memset_d32_async(memory, 0, 4, stream)
    assert drv.from_device(memory, 4, np.float32).all()
    stream.synchronize()
    assert not drv.from_device(memory, 4, np.float32).any()
    assert library.cuMemHostUnregister(address) == 0
    del stream, memory, values, result
""")


def test_errors_of_queued_work_come_from_the_next_wait():
    run("""
with context() as own:
    work, stream, y = Work(), drv.Stream(nonBlocking), drv.mem_alloc(8)
    work.fill(y, 1, stream)  # it has 4 threads
    kept = drv.mem_alloc(16)
    assert "an illegal memory access" in refused(stream.synchronize)
    assert "an illegal memory access" in refused(drv.mem_alloc, 16)
""")


def test_the_environment_can_have_all_run_at_once():
    run("""
with context():
    work, stream, y = Work(), drv.Stream(nonBlocking), drv.mem_alloc(16)
    work.fill(y, 3, stream)
    assert (work.values(y) == 3).all()
    del stream, y
""", CUDA_LAUNCH_BLOCKING=1)
