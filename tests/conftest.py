from pathlib import Path

import numpy as np
import pytest

from minidl.Backend import Device, gpuarray

rooms = Path(__file__).parent / "Backend"
rooms = {"cpu": rooms / "Cpu", "cuda": rooms / "Cuda"}  # tests of one device, which need it


@pytest.fixture(autouse=True)
def inItsRoom(request):
    here = Device.current().name
    for name, room in rooms.items():
        if room in request.path.parents and name != here and "anyDevice" not in request.keywords:
            pytest.skip(f"tests the device {name}, and this run computes on {here}")


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
def device(monkeypatch):
    """The device, whose number of threads is as before after the test; a GPU has its own."""
    device = Device.current()
    if device.name != "cpu":
        monkeypatch.setattr(device, "setThreads", lambda number: None, raising=False)
        yield device
        return
    before = device.threads
    yield device
    device.setThreads(before)
