"""Devices, contexts and memory as a whole: what there is, what is left, what a process may do."""

import pytest

from tests.hostcuda import StandIn

pytestmark = StandIn.needed


def test_without_a_device():
    out, _ = StandIn.run("print(refused(drv.init))", HOSTCUDA_DEVICES=0)
    assert out == "cuInit failed: no CUDA-capable device is detected\n"


def test_devices_and_their_attributes():
    StandIn.run("""
assert "initialization" in refused(drv.Device, 0)
drv.init()
assert drv.get_driver_version() == 13000
assert drv.Device.count() == 2 and "invalid device" in refused(drv.Device, 2)
device = drv.Device(1)
assert device.name() == "host stand-in" and device.compute_capability() == (9, 0)
assert device.total_memory() == 1 << 33
attributes = device.get_attributes()
assert attributes[drv.device_attribute.WARP_SIZE] == 32 and len(attributes) > 50
assert drv.Device(device.pci_bus_id()) == device
with context(1):
    assert drv.Context.get_device() == device
    from pycuda.tools import DeviceData
    assert DeviceData().max_threads == 1024
""", HOSTCUDA_DEVICES=2, HOSTCUDA_CAPABILITY=90)


def test_contexts():
    _, err = StandIn.run("""
import threading
drv.init()
invalid = "invalid device context"
assert invalid in refused(drv.mem_alloc, 4)
with context() as one:
    memory = drv.mem_alloc(4)
    with context() as two:
        assert drv.Context.get_current() == two
        function = SourceModule("__global__ void f(int *x) { *x = 1; }").get_function("f")
        function(memory, block=(1, 1, 1))
        assert "an illegal memory access" in refused(two.synchronize)
    assert drv.Context.get_current() == one
    one.synchronize()
    inThread = []

    def work():
        inThread.append(refused(drv.mem_alloc, 4))  # it has no context yet
        one.push()
        inThread.append(drv.Context.get_device())
        drv.Context.pop()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert invalid in inThread[0] and inThread[1] == drv.Device(0)
    one.pop()
    assert invalid in refused(drv.Context.synchronize)
    one.push()
    memory.free()

primary = drv.Device(0).retain_primary_context()
primary.push()
assert primary.handle == drv.Device(0).retain_primary_context().handle
primary.pop()
""")
    assert "argument 1 points to byte 0 of an allocation of 4 bytes, which is another" in err


def test_memory_ends():
    StandIn.run("""
drv.init()
with context():
    assert drv.mem_get_info() == (1000, 1000)
    first = drv.mem_alloc(600)
    assert drv.mem_get_info() == (400, 1000) and calls("cuMemAlloc") == 1
    assert "out of memory" in refused(drv.mem_alloc, 401)  # PyCUDA tries it twice
    second = drv.mem_alloc(400)
    first.free()
    assert drv.mem_get_info() == (600, 1000) and calls("cuMemAlloc_v2") == 4
    assert "invalid argument" in refused(drv.mem_alloc, 0)
    assert drv.mem_get_address_range(int(second) + 7) == (int(second), 400)
    second.free()
""", HOSTCUDA_MEMORY=1000)


@pytest.mark.parametrize("kept", [False, True])
def test_leaks_are_told(kept):
    _, err = StandIn.run(f"""
drv.init()
with context() as own:
    memory, stream, event = drv.mem_alloc(100), drv.Stream(), drv.Event()
    if {kept}:
        library.cuMemAlloc_v2(ctypes.byref(ctypes.c_ulonglong()), ctypes.c_size_t(23))
    else:
        del memory, stream, event
""", HOSTCUDA_LEAKS=1)
    told = "hostcuda: still alive: 2 allocations (123 bytes), 1 streams, 1 events, 0 modules\n"
    assert err == told * kept


def test_a_forked_child_is_refused():
    out, err = StandIn.run("""
import os
drv.init()
with context() as own:
    memory = drv.mem_alloc(100)
    own.pop()  # PyCUDA ends a process that has a context at its exit
    child = os.fork()
    if child == 0:
        for work in (lambda: drv.mem_alloc(4), drv.Context.synchronize, drv.init):
            print(refused(work).partition(": ")[2], flush=True)
        ctypes.CDLL(None).exit(0)
    own.push()
    assert os.waitpid(child, 0)[1] == 0
    memory.free()
    drv.mem_alloc(4).free()
""", HOSTCUDA_LEAKS=1)
    assert out == 3 * "initialization error\n" and "alive" not in err
