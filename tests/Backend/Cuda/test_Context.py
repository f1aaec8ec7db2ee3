"""Contexts, threads, forks and the end of the interpreter: clean results or clean words."""

import pytest

from tests.Processes import run, start, useKernel

net = """
import numpy as np
from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNorm, Linear

net = Sequential()
for module in Linear(5, 7), BatchNorm(7), Activation("relu"), Linear(7, 3):
    net.append(module)
data = np.random.default_rng(0).standard_normal((11, 5)).astype(np.float32)
def compute():
    return net(gpuarray.to_gpu(data)).get()
"""


def test_context_that_is_current_is_taken():
    run("""
import pycuda.driver as drv
drv.init()
context = drv.Device(0).make_context()
""" + useKernel + """
from minidl.Backend import Device
assert Device.current().context.context == context == drv.Context.get_current()
context.pop()
""")


def test_without_one_it_is_the_primary_context():
    run(useKernel + """
import pycuda.driver as drv
from minidl.Backend import Device
primary = drv.Device(0).retain_primary_context()
assert Device.current().context.context.handle == primary.handle
primary.detach()
""")


def test_number_of_a_device_that_is_not_there_is_refused():
    script = "from minidl import Config; Config.deviceIdx = 7" + useKernel
    process = start(script)
    assert "Config.deviceIdx is 7, but the driver finds 1 GPUs" in process.communicate()[1]


def test_threads_compute_as_the_main_thread_does():
    run(net + """
import threading
net.evalMode()
expected, results = compute(), []
def work():
    mine = gpuarray.to_gpu(data)
    for _ in range(20):
        results.append(gpuarray.to_gpu(data + 1).get() - 1)
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
def inference():
    results.append(compute())
thread = threading.Thread(target=inference)
thread.start()
thread.join()
assert all(np.allclose(result, data) for result in results[:-1])
assert (results[-1] == expected).all()
""")


def test_threads_at_once_on_nets_of_their_own():
    run("""
import threading
import numpy as np
from minidl.Backend import gpuarray
from minidl.Modules import Linear
data = np.random.default_rng(0).standard_normal((11, 5)).astype(np.float32)
modules = [Linear(5, 7) for _ in range(8)]
expected = [module(gpuarray.to_gpu(data)).get() for module in modules]
wrong = []
def work(module, result):
    for _ in range(50):
        if not (module(gpuarray.to_gpu(data)).get() == result).all():
            wrong.append(module)
threads = [threading.Thread(target=work, args=pair) for pair in zip(modules, expected)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
""")


@pytest.mark.parametrize("way", ["setupDebug", "stopHolding"])
def test_memory_outside_the_pool_goes_back_whichever_thread_collects(way):
    assert run(f"""
import gc, threading
import pycuda.driver as drv
from minidl.Backend import Device, gpuarray
gpuarray.zeros(3)
Device.current().memoryPool.{way}()
gc.disable()
free = drv.mem_get_info()[0]
cycle = [gpuarray.zeros(1 << 20)]
cycle.append(cycle)
del cycle
assert drv.mem_get_info()[0] <= free - (4 << 20)
thread = threading.Thread(target=gc.collect)
thread.start()
thread.join()
assert drv.mem_get_info()[0] == free
other = drv.Device(0).make_context()
other.pop()
array = gpuarray.zeros(1 << 20)
other.push()
del array
assert drv.Context.get_current() == other
other.pop()
assert drv.mem_get_info()[0] == free
kept = gpuarray.zeros(1 << 20)
""") == ("", "")


def test_threads_that_come_first_all_at_once_get_one_device():
    run("""
import threading
import numpy as np
from minidl.Backend import Device, gpuarray
barrier, devices = threading.Barrier(8), []
def work():
    barrier.wait()
    assert gpuarray.to_gpu(np.ones(3, np.float32)).get().sum() == 3
    devices.append(Device.current())
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(devices) == 8 and len(set(devices)) == 1
array = gpuarray.zeros(5)
""")


def test_context_that_was_popped_comes_back():
    run(net + """
import pycuda.driver as drv
net.evalMode()
expected = compute()
drv.Context.pop()
assert (compute() == expected).all()
""")


def test_another_current_context_is_an_error_and_no_harm():
    run(net + """
import pycuda.driver as drv
from minidl.Backend.Cuda.Context import CudaError
net.evalMode()
expected = compute()
other = drv.Device(0).make_context()
try:
    compute()
except CudaError as error:
    assert "another CUDA context is current" in str(error)
else:
    raise AssertionError
other.pop()
assert (compute() == expected).all()
other.detach()
""")


def test_context_that_its_user_has_destroyed_is_an_error():
    run("""
import pycuda.driver as drv
drv.init()
context = drv.Device(0).make_context()
""" + net + """
from minidl.Backend.Cuda.Context import CudaError
net.evalMode()
compute()
context.detach()
try:
    compute()
except CudaError as error:
    assert "is gone" in str(error)
else:
    raise AssertionError
""")


forked = """
import os, sys
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_child_forked_before_first_use_computes():
    run("import minidl\nfrom minidl.Modules import Linear\n" + forked + useKernel)


def test_child_forked_after_first_use_gets_clear_words_and_ends_cleanly():
    out, err = run(net + "first = compute()\n" + forked + """
from minidl.Backend.Cuda.Context import CudaError
for call in compute, lambda: gpuarray.zeros(3), lambda: gpuarray.to_gpu(data):
    try:
        call()
    except CudaError as error:
        print(error)
""")
    assert out.count("CUDA was initialised before this process was forked") == 3
    assert out.count("start processes by spawn") == 3 and err == ""


def test_parent_computes_on_after_a_fork():
    run(net + """
net.evalMode()
expected = compute()
import os
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
assert (compute() == expected).all()
""")


def test_spawned_processes_compute():
    run("", "-m", "tests.Backend.Cuda.spawned")


# What a program may hold, in the order in which it came to it, when the interpreter ends.
before = {
    "nothing": "",
    "own": """
import atexit
import pycuda.driver as drv
drv.init()
context = drv.Device(0).make_context()
atexit.register(context.pop)
""",
    "autoinit": "import pycuda.autoinit",
    "primary": "import pycuda.autoprimaryctx",
    "array": """
import pycuda.autoprimaryctx
import numpy as np, pycuda.gpuarray
theirs = pycuda.gpuarray.to_gpu(np.ones(5, np.float32))
""",
}
after = {
    "nothing": "",
    "memory": """
held = []
try:
    while True:
        held.append(gpuarray.empty(1 << 20))
except MemoryError:
    pass
""",
    "autoinit": "import pycuda.autoinit",
    "primary": "import pycuda.autoprimaryctx",
    "cycle": "net.itself = net; net = [net]; net.append(net)",
    "exit": "import sys; sys.exit(0)",
    "thread": """
import threading
thread = threading.Thread(target=lambda: gpuarray.zeros(3).get())
thread.start()
""",
    "stored": "import sys; sys.keptForEver = net, result",
    "pool": """
from minidl.Backend import Device
Device.current().memoryPool.freeHeld()
""",
    "traceback": """
try:
    net(gpuarray.zeros((2, 6)))
except ValueError as error:
    kept = error
""",
}


@pytest.mark.parametrize("last", ["nothing", "pool", "traceback", "thread"])
def test_work_at_exit_is_done_whenever_it_was_registered(last):
    early = "import atexit; atexit.register(lambda: print(compute().shape))\n"
    late = "\nimport atexit; atexit.register(lambda: print(compute().shape))"
    for script in early + net + "compute()\n" + after[last], net + after[last] + late:
        assert run(script, HOSTCUDA_MEMORY=256 << 20) == ("(11, 3)\n", "")


def test_device_that_a_worker_has_made_goes_without_a_word():
    assert run("""
import threading
import numpy as np
from minidl.Backend import gpuarray
held = []
thread = threading.Thread(target=lambda: held.append(gpuarray.to_gpu(np.ones(5, np.float32))))
thread.start()
thread.join()
held.append(gpuarray.to_gpu(held[0].get()))
""") == ("", "")


@pytest.mark.parametrize("first", before)
@pytest.mark.parametrize("last", after)
def test_interpreter_ends_without_a_word(first, last):
    processes = [
        start(before[first] + net + order + after[last], HOSTCUDA_MEMORY=256 << 20)
        for order in ("result = net(gpuarray.to_gpu(data))\n",
                      "held = [gpuarray.to_gpu(data), net]; result = compute()\n")]
    for process in processes:
        assert (*process.communicate(), process.returncode) == ("", "", 0)
