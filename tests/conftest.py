import numpy as np
import pytest

from minidl.Backend import Device, gpuarray


@pytest.fixture(scope="session", autouse=True)
def dirtyBuffers():
    """New arrays hold NaN, so that an element which no kernel has written shows."""
    gpuarray.setupDebugAllocator()


@pytest.fixture(autouse=True)
def globalSeed():
    np.random.seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def device():
    """The device, whose number of threads is as before after the test."""
    device = Device.current()
    before = device.threads
    yield device
    device.setThreads(before)
