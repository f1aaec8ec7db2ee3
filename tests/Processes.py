"""Runs Python text in a process of its own: for what happens once a process, or ends it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler

root = Path(__file__).parents[1]

useKernel = """
import numpy as np
from minidl.Backend import gpuarray
from minidl.Backend.Ops import Activation
values = np.arange(-3, 4, dtype=np.float32)
result = Activation.forward("relu", gpuarray.to_gpu(values)).get()
assert (result == np.maximum(values, 0)).all()
"""


def start(script, *arguments, **environment):
    """Warnings are errors in it; a variable of value None is taken out of its environment."""
    # What zig makes of the C library takes seconds: cold caches of the tests share that.
    zig = {"ZIG_GLOBAL_CACHE_DIR": str(KernelCache.cacheFolder() / "zig")}
    merged = {**zig, **os.environ, **environment}
    return subprocess.Popen(
        [sys.executable, "-W", "error", *(arguments or ("-c", script))], cwd=root, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={name: str(value) for name, value in merged.items() if value is not None})


def run(script, *arguments, **environment):
    """(standard output, standard error) of a process that must end with exit code 0."""
    process = start(script, *arguments, **environment)
    out, err = process.communicate()
    assert process.returncode == 0, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def compilerScript(path, before):
    """A program that is as good a compiler as the machine's own, and does `before` (sh) first."""
    command = shlex.join(HostCompiler.compiler())
    path.write_text(f"#!/bin/sh\n{before}\nexec {command} \"$@\"\n")
    path.chmod(0o755)
    return path
