import pytest

from minidl.Backend import Device
from tests.Processes import run


def test_device_is_chosen_once():
    assert Device.current() is Device.current()


def test_device_is_chosen_at_first_use_and_not_before():
    run("""
from minidl import Config
from minidl.Backend import Device, gpuarray
from minidl.Backend.Ops import Activation
assert Device.chosen is None
Config.backend = "cpu"  # not too late
gpuarray.zeros(3)
assert Device.chosen.name == "cpu"
""", MINIDL_BACKEND="cuda")


withoutPyCuda = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pycuda" else find(name, *rest)
"""


def test_cuda_that_cannot_be_had_is_one_clear_error():
    script = withoutPyCuda + """
from minidl import Config
from minidl.Backend import gpuarray
try:
    gpuarray.zeros(3)
except Config.ConfigError as error:
    print(error)
"""
    assert run(script, MINIDL_BACKEND="cuda")[0] == (
        "Config.backend is cuda, but PyCUDA is not installed: python -m minidl cuda-setup installs "
        "it; or set it (or MINIDL_BACKEND) to cpu or auto\n")


def test_auto_is_the_cpu_where_there_is_no_cuda():
    script = withoutPyCuda + """
from minidl.Backend import Device
print(Device.current().name)
"""
    assert run(script, MINIDL_BACKEND=None) == ("cpu\n", "")


def test_device_describes_itself():
    assert Device.choose("cpu").describe().startswith("CPU with ")


@pytest.mark.parametrize("size", [0, 1, 1000, 10**6, 2**31 - 1])
def test_loops_over_any_size_have_some_blocks(size):
    assert 1 <= Device.elements(size) <= 1024


@pytest.mark.parametrize("number", [1, 63, 64, 65, 1000])
def test_columns_are_all_in_some_block(number):
    width = {"cpu": 64, "cuda": 32}[Device.current().name]
    assert (Device.columns(number) - 1) * width < number <= Device.columns(number) * width
