"""What a file of results says of the machine and the programs that gave them."""

import datetime
import platform
from pathlib import Path

import numpy as np

import minidl
from minidl.Backend import gpuarray


def describe():
    return {
        "date": datetime.date.today().isoformat(),
        "device": gpuarray.getDeviceName(),
        "processor": processor(),
        "versions": {"minidl": minidl.__version__, "python": platform.python_version(),
                     "numpy": np.__version__, **peerVersion()}}


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")


def peerVersion():
    try:
        import torch
    except ImportError:
        return {}
    return {"torch": torch.__version__, "torch threads": torch.get_num_threads()}
