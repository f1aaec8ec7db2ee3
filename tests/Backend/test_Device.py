import pytest

from minidl.Backend import Device
from minidl.Config import ConfigError
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


def test_cuda_that_cannot_be_had_is_one_clear_error():
    with pytest.raises(ConfigError, match="set it .or MINIDL_BACKEND. to cpu or auto"):
        Device.choose("cuda")


def test_device_describes_itself():
    assert Device.choose("cpu").describe().startswith("CPU with ")


@pytest.mark.parametrize("size", [0, 1, 1000, 10**6, 2**31 - 1])
def test_loops_over_any_size_have_some_blocks(size):
    assert 1 <= Device.elements(size) <= 1024


@pytest.mark.parametrize("number", [1, 63, 64, 65, 1000])
def test_columns_are_all_in_some_block(number):
    assert (Device.columns(number) - 1) * 64 < number <= Device.columns(number) * 64
