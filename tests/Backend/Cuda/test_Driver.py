import pytest

from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cuda import Driver

pytestmark = pytest.mark.anyDevice

# A driver that knows two GPUs; the tests put their words in the place of what it does first.
text = r"""
#include <cstring>
#include <cstdlib>
#include <unistd.h>
extern "C" {
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuInit(unsigned flags) { INIT; return 0; }
int cuGetErrorString(int code, const char **words) { *words = "no device is there"; return 0; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int index) { *device = 10 + index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "Abacus"); return 0; }
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = size_t(device) << 30; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 75 ? 9 : attribute == 76 ? 1 : -1;
    return 0;
}
}
"""


def driver(folder, init="", count=2):
    command = [*HostCompiler.compiler(), "-shared", "-fPIC"]
    return HostCompiler.build(
        "driver", text.replace("INIT", init).replace("COUNT", str(count)), command, folder)


def test_gpus_are_told(tmp_path):
    gpus = [{"name": "Abacus", "memory": gib << 30, "capability": [9, 1]} for gib in (10, 11)]
    assert Driver.ask(driver(tmp_path)) == {"version": [12, 8], "gpus": gpus, "error": None}


def test_no_gpu_is_told(tmp_path):
    told = Driver.ask(driver(tmp_path, "return 100"))
    assert told["version"] == [12, 8] and told["gpus"] == []
    assert told["error"] == "the driver says: no device is there (error 100)"

    assert Driver.ask(driver(tmp_path, count=0))["error"] == "the driver sees no GPU"


@pytest.mark.parametrize("init, error", [
    ("raise(11)", "the driver crashed (SIGSEGV)"),
    ("_exit(3)", "the driver gave no answer"),
    ("sleep(100)", "the driver did not answer for 1 s")])
def test_driver_that_fails_takes_nothing_with_it(init, error, tmp_path):
    library = driver(tmp_path, f"extern int raise(int); {init}")
    assert Driver.ask(library, patience=1) == Driver.nothing(error)


def test_file_that_is_no_driver_is_told(tmp_path):
    assert "cannot be loaded" in Driver.ask(tmp_path / "none")["error"]
    (tmp_path / "text").write_text("no library")
    assert "cannot be loaded" in Driver.ask(tmp_path / "text")["error"]

    library = HostCompiler.build("empty", "", [*HostCompiler.compiler(), "-shared"], tmp_path)
    assert "cuDriverGetVersion" in Driver.ask(library)["error"]
