from pathlib import Path

import numpy as np
import pytest

from minidl.Backend import Device, gpuarray

rooms = Path(__file__).parent / "Backend"
rooms = {"cpu": rooms / "Cpu", "cuda": rooms / "Cuda"}  # tests of one device, which need it


def pytest_report_header():
    here = Device.current()
    others = [f"tests/Backend/{room.name}" for name, room in rooms.items() if name != here.name]
    return f"computes on {here.describe()}; deselected are tests of {' and '.join(others)}"


def pytest_collection_modifyitems(config, items):
    others = [room for name, room in rooms.items() if name != Device.current().name]
    foreign = [item for item in items if "anyDevice" not in item.keywords
               and any(room in item.path.parents for room in others)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in set(foreign)]


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
