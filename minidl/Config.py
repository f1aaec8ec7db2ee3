"""
The user's choices. Set them before the first array is made: `Config.backend` and `Config.threads`
are read once, when the device is chosen.
"""

import enum
import logging
import os
import sys


class ConfigError(ValueError, RuntimeError):
    """A choice that cannot be had on this machine, or that has no meaning."""


class Backend(enum.Enum):
    """PuzzleLib's names; `backend` takes them as well as the words "auto", "cuda" and "cpu"."""

    cuda = 0
    hip = 1
    cpu = 2
    intel = 3


libname = "minidl"

backend = os.environ.get("MINIDL_BACKEND", "auto")  # auto: CUDA where there is any, else the CPU
deviceIdx = 0  # which GPU
tensorFloat32 = False  # of GPUs: products of float32 by factors of 11 bits, several times as fast
threads = None  # of the CPU; None: OMP_NUM_THREADS, else the cores that this process may use
cacheFolder = os.environ.get("MINIDL_CACHE")  # of compiled kernels; None: the user's cache folder

exactConvolution = False  # of the CPU: no way that is faster but less exact (by 5e-5 for data of 1)

globalEvalMode = False  # modules start in evaluation mode, and their variables have no gradient
disableDtypeShapeChecks = False  # skip the checks of data and gradients at each call of a module
disableModuleCompatChecks = False  # let an in-place module stand where it may spoil a gradient
verifyData = True  # costs refuse labels that are no class
requireSeal = False  # of h5 files: refuse those that could be damaged without showing it
showWarnings = True

systemLog = False
logger = None


def chosenBackend():
    """`backend` as one of the words "auto", "cuda", "cpu"; raises ConfigError on any other."""
    word = backend.name if isinstance(backend, Backend) else str(backend).lower()
    if word not in ("auto", "cuda", "cpu"):
        raise ConfigError(
            f"Config.backend must be auto, cuda or cpu, got {word}: minidl computes on NVIDIA GPUs "
            f"and on the CPU")
    return word


def chosenThreads():
    """How many threads compute, at least one."""
    asked = threads if threads is not None else os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if asked == "":
        asked = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        number = int(asked)
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(
            f"Config.threads (or OMP_NUM_THREADS) must be a positive number, got {asked}")
    return number


def getLogger():
    """The logger of minidl's messages: to standard output, as "[minidl] message"."""
    global logger
    if logger is None:
        logger = logging.getLogger(libname)
        logger.setLevel(logging.DEBUG if systemLog else logging.INFO)
        logger.propagate = False
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(f"[{libname}] %(message)s"))
        logger.addHandler(handler)
    return logger
