import os
from pathlib import Path

import numpy as np
import pytest

from minidl.Backend import Device, gpuarray

tests = Path(__file__).parent
rooms = {  # tests of one device, which need it
    "cpu": [tests / "Backend/Cpu"], "cuda": [tests / "Backend/Cuda", tests / "hostcuda"]}


def othersRooms():
    return [room for name in rooms if name != Device.current().name for room in rooms[name]]


def pytest_report_header():
    others = " and ".join(str(room.relative_to(tests.parent)) for room in othersRooms())
    return f"computes on {Device.current().describe()}; deselected are tests of {others}"


def pytest_collection_modifyitems(config, items):
    foreign = {item for item in items if "anyDevice" not in item.keywords
               and any(room in item.path.parents for room in othersRooms())}
    if foreign:
        config.hook.pytest_deselected(items=list(foreign))
        items[:] = [item for item in items if item not in foreign]


def pytest_terminal_summary(terminalreporter):
    """What tests have counted: see `count`."""
    counts = [text for report in terminalreporter.stats.get("passed", [])
              for name, text in report.user_properties if name == "count"]
    if counts:
        terminalreporter.section("counted")
        terminalreporter.write_line("\n".join(sorted(counts)))


@pytest.fixture(scope="session", autouse=True)
def dirtyBuffers():
    """New arrays hold NaN, so that an element which no kernel has written shows."""
    if "MINIDL_SANITIZER" in os.environ:  # which must see for itself what nobody has written
        Device.current().memoryPool.stopHolding()
    else:
        gpuarray.setupDebugAllocator()


@pytest.fixture(autouse=True)
def globalSeed():
    np.random.seed(0)


@pytest.fixture
def count(record_property):
    """A function of (text), which is printed after all tests."""
    return lambda text: record_property("count", text)


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
