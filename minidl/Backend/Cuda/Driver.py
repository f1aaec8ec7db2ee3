"""
What the NVIDIA driver says of itself and of its GPUs, asked in a process of its own: a driver that
crashes or never answers takes only that process with it.
"""

import ctypes
import json
import signal
import subprocess
import sys

success = 0
major, minor = 75, 76  # cuDeviceGetAttribute's numbers of the compute capability


def ask(library, patience=60):
    """
    A dict: `version`, [13, 0] say, of the CUDA that the driver knows, None if it tells none;
    `gpus`, each with `name`, `memory` in bytes and `capability`, [9, 0] say; `error`, why there are
    none, else None.
    """
    command = [sys.executable, "-I", __file__, str(library)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return nothing(f"the driver did not answer for {patience} s")
    if done.returncode < 0:
        return nothing(f"the driver crashed ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        return nothing((done.stderr.strip().splitlines() or ["the driver gave no answer"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def nothing(error, version=None):
    return {"version": version, "gpus": [], "error": error}


def answer(path):
    """What `ask` returns, found out in this process."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        return nothing(f"the driver's library cannot be loaded: {error}")

    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    version = divmod(number.value // 10, 100)
    code = library.cuInit(0)
    if code != success:
        return nothing(f"the driver says: {words(library, code)}", version)

    library.cuDeviceGetCount(ctypes.byref(number))
    gpus = [describe(library, index) for index in range(number.value)]
    return {"version": version, "gpus": gpus, "error": None if gpus else "the driver sees no GPU"}


def words(library, code):
    text = ctypes.c_char_p()
    library.cuGetErrorString(code, ctypes.byref(text))
    return f"{(text.value or b'unknown error').decode()} (error {code})"


def describe(library, index):
    device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)

    capability = []
    for attribute in (major, minor):
        number = ctypes.c_int()
        library.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        capability.append(number.value)
    return {"name": name.value.decode(errors="replace"), "memory": memory.value,
            "capability": capability}


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1])))
