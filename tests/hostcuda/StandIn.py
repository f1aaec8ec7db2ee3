"""Runs Python text in processes that find the stand-in in place of CUDA."""

import functools
import os
import sys
from pathlib import Path

import pytest

from tests import Processes
from tests.hostcuda import Build

# What all the scripts begin with.
beginning = """
import contextlib, ctypes
import numpy as np
import pycuda.driver as drv
from pycuda.compiler import SourceModule

library = ctypes.CDLL("libcuda.so.1")
calls = lambda name: library.hostcudaCount(name.encode())
launches = lambda name: library.hostcudaLaunches(name.encode())


@contextlib.contextmanager
def context(number=0):
    own = drv.Device(number).make_context()
    try:
        yield own
    finally:
        own.pop()
        own.detach()


def refused(work, *arguments, **named):
    "The words of the error that the work ends in."
    try:
        work(*arguments, **named)
    except drv.Error as error:
        return str(error)
    raise AssertionError("nothing was refused")


def fault(work):
    "What a context of its own says when it is synchronized after the work."
    with context() as own:
        work()
        told = refused(own.synchronize)
        assert told == refused(own.synchronize).replace("cuMemAlloc", "cuCtxSynchronize")
        refused(drv.mem_alloc, 4)  # the context stays as it is
        return told
"""


def folder():
    """Where the stand-in and PyCUDA are, which `make test-cuda` puts into .hostcuda; or None."""
    site = Path(os.environ.get("HOSTCUDA_SITE") or Build.root / ".hostcuda/site")
    return site.parent if (site / "pycuda").exists() else None


needed = pytest.mark.skipif(
    folder() is None or not sys.platform.startswith("linux"),
    reason="PyCUDA for the host stand-in of CUDA is not there: make test-cuda runs these")


@functools.cache
def environment():
    Build.build(folder())
    site = os.environ.get("HOSTCUDA_SITE") or str(folder() / "site")
    return {**Build.environment(folder()), "PYTHONPATH": site}


def run(script, **variables):
    """(standard output, standard error) of a process that must end with exit code 0."""
    return Processes.run(beginning + script, **{**environment(), **variables})
