"""The pool of threads (Runtime.cpp)."""

import ctypes
import struct
import threading

import numpy as np
import pytest

from minidl.Backend import Device, gpuarray
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Ops import Activation
from tests.Processes import run

# Counts how often each block runs, and notes which thread runs it, by the address of its own mark.
text = """
struct Arguments { int *hits; const void **threads; int work; };

static thread_local char mark;

extern "C" void countBlocks(const char *packed, long first, long last, long blocks)
{
    const Arguments &a = *(const Arguments *)packed;
    for (long block = first; block < last; ++block)
    {
        for (volatile int i = 0; i < a.work; i = i + 1)
            ;
        a.hits[block] += 1;
        a.threads[block] = &mark;
    }
}
"""


@pytest.fixture
def launch(device):
    """launch(blocks): how often each block of a grid was run, and the thread that ran it."""
    function = device.function(HostCompiler.load("Counting", text)["countBlocks"])

    def launch(blocks, work=0):
        hits, threads = np.zeros(blocks, np.int32), np.zeros(blocks, np.int64)
        function(struct.pack("PPi", hits.ctypes.data, threads.ctypes.data, work), blocks)
        return hits, threads

    return launch


@pytest.fixture
def count(launch):
    return lambda blocks: launch(blocks)[0]


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 17, 255, 100_003])
def test_every_block_runs_once(threads, blocks, device, count):
    device.setThreads(threads)
    for _ in range(5):
        assert (count(blocks) == 1).all()


def test_blocks_are_shared_by_several_threads(device, launch):
    device.setThreads(4)
    while len(set(launch(1000, work=1000)[1])) < 2:
        pass  # others take part as soon as the system lets them run


def test_one_thread_is_the_callers(device, launch):
    device.setThreads(1)
    assert len(set(launch(1000, work=1000)[1])) == 1


def test_threads_can_be_set_back_and_forth(device, count):
    for threads in 1, 5, 2, 8, 1, 3, 300, 2:
        device.setThreads(threads)
        assert device.threads == threads
        for blocks in 2, 1000:
            assert (count(blocks) == 1).all()
    assert device.runtime.minidlWorkers() <= 255


def test_launches_between_which_the_pool_has_slept(device, count):
    device.setThreads(3)
    for _ in range(20):
        assert (count(100) == 1).all()
        threading.Event().wait(0.005)


def test_python_threads_that_launch_at_once_get_right_results(device, count):
    device.setThreads(3)
    failures = []

    def launch(seed):
        values = np.random.default_rng(seed).standard_normal(200_000).astype(np.float32)
        data = gpuarray.to_gpu(values)
        for _ in range(50):
            if not (Activation.forward("relu", data).get() == np.maximum(values, 0)).all():
                failures.append(seed)
            if not (count(500) == 1).all():
                failures.append("blocks")

    threads = [threading.Thread(target=launch, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures


forking = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside other threads
import numpy as np
from minidl.Backend import Device, gpuarray
from minidl.Backend.Ops import Activation
Device.current().setThreads(3)
values = np.linspace(-1, 1, 1_000_000, dtype=np.float32)
data = gpuarray.to_gpu(values)

def compute():
    return bool((Activation.forward("relu", data).get() == np.maximum(values, 0)).all())

def inChild(function):
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if function() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_forked_children_and_theirs_compute_like_the_parent():
    run(forking + """
for _ in range(20):
    assert compute()
    assert inChild(compute)
    assert inChild(lambda: compute() and inChild(compute))
assert compute()
""")


def test_child_has_a_pool_of_its_own():
    run(forking + """
workers = Device.current().runtime.minidlWorkers
assert compute() and workers() == 2
assert inChild(lambda: workers() == 0 and compute() and workers() == 2)
assert workers() == 2
""")


def test_child_forked_while_another_thread_computes():
    run(forking + """
import threading
assert compute()
stop = threading.Event()
def keepComputing():
    while not stop.is_set():
        assert compute()
thread = threading.Thread(target=keepComputing)
thread.start()
for _ in range(20):
    assert inChild(compute)
stop.set()
thread.join()
""")


def test_process_ends_while_the_pool_sleeps_or_spins():
    script = "import minidl.Backend.Device as d; d.current().setThreads(4)\n"
    for last in "Activation.forward('relu', a)", "time.sleep(0.1)":
        out, err = run(script + f"""
import time
from minidl.Backend import gpuarray
from minidl.Backend.Ops import Activation
a = gpuarray.zeros(1_000_000)
Activation.forward("relu", a)
{last}
""")
        assert out == err == ""


def test_threads_are_chosen_by_environment_and_config():
    script = """
from minidl import Config
from minidl.Backend import Device
Config.threads = {}
print(Device.current().threads, Device.current().describe())
"""
    assert run(script.format("None"), OMP_NUM_THREADS="3,2")[0] == "3 CPU with 3 threads\n"
    assert run(script.format("1"), OMP_NUM_THREADS="3")[0] == "1 CPU with 1 thread\n"


def test_entry_addresses_are_whole():
    # A function pointer that went through a C int would lose its upper half.
    entry = HostCompiler.load("Counting", text)["countBlocks"]
    launch = Device.current().function(entry)
    assert launch.args == (ctypes.cast(entry, ctypes.c_void_p).value,)
