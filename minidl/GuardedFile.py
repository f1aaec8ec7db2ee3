"""
The one guarded reader and the writer of h5 files: every load and save goes through it.

A file may be damaged or made to harm. It is read without following any reference out of it, and an
array only if its shape and dtype are those expected; a caller changes nothing before all is read.
A file is written beside its place and moved there in one step, under a seal (Seal.py).
"""

import contextlib
import io
import os
import stat
import traceback
from pathlib import Path

from minidl import Config
from minidl.AtomicFile import replacing
from minidl.Guarded import Guarded, Problems, h5Errors, shown
from minidl.Modules.Module import ModuleError
from minidl.Seal import SealError, Snapshot, blockSize, sealOf

mostText = 1000  # characters of an error


class WeightsError(ModuleError):
    """A file that does not fit; no value of the module has changed."""


def readArrays(hdf, who, expected):
    """The datasets {path: (shape, dtype)} of an h5 file as host arrays, for the reader `who`."""
    with reading(hdf, who) as (group, problems):
        guarded = Guarded(group, "/", problems)
        return [guarded.read(name, *form) for name, form in expected.items()]


@contextlib.contextmanager
def writing(hdf):
    """
    (group to write to, [what save returns]). When all is written, it is sealed, and a path's file
    replaced in one step; an open h5py file or group has no seal.
    """
    import h5py

    result = [None]
    if isinstance(hdf, h5py.Group):
        yield hdf, result
        return
    image = io.BytesIO()
    with h5py.File(image, "w", libver="earliest", userblock_size=blockSize) as file:
        yield file, result
    seal = sealOf(image)
    image.seek(0)
    image.write(seal)
    if hdf is None:
        result[0] = image.getvalue()
    else:
        with replacing(hdf) as path:
            path.write_bytes(image.getbuffer())


@contextlib.contextmanager
def reading(hdf, who, requireSeal=None, strict=True):
    """
    (root group, Problems) of a path, of a file's bytes, of an open binary file, or of an open h5py
    file or group.

    Raises WeightsError in the end if there were problems, misfits among them unless `strict` is
    False, before anything of `who` has changed. requireSeal: refuse what has no seal; None:
    Config.requireSeal.
    """
    import h5py

    problems, failed = Problems(), shown(f"{who}: cannot load {described(hdf)}: ", 400)
    requireSeal = Config.requireSeal if requireSeal is None else requireSeal
    with told(failed), contextlib.ExitStack() as stack:
        if not isinstance(hdf, h5py.Group):
            file = Snapshot(stack.enter_context(binary(hdf)))
            if not file.isSealed():
                noSeal(requireSeal, f"{who} is loaded from {described(hdf)}")
            hdf = stack.enter_context(opened(file))
        elif requireSeal:
            raise SealError("the seal of an open h5py file cannot be checked: give its path")
        yield hdf, problems

    wrong = [*problems, *(problems.misfits.values() if strict else ())]
    if wrong:
        raise WeightsError(summary(failed, wrong))


@contextlib.contextmanager
def told(failed):
    """What is raised over a file that is no good becomes a WeightsError."""
    try:
        yield
    except WeightsError:
        raise
    except SealError as error:
        raise WeightsError(f"{failed}{error}") from error
    except h5Errors as error:
        raise WeightsError(f"{failed}it is damaged ({shown(error, mostText // 2)})") from error


@contextlib.contextmanager
def binary(hdf):
    """The open file of a path, of bytes, or of an open binary file."""
    if isinstance(hdf, (bytes, bytearray, memoryview)):
        yield io.BytesIO(hdf)
    elif isinstance(hdf, (str, os.PathLike)):
        if not Path(hdf).is_file():
            raise SealError("there is no such file")
        with open(hdf, "rb", opener=openAtOnce) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SealError("there is no such file")
            yield file
    elif hasattr(hdf, "read") and hdf.seekable():
        yield hdf
    else:
        raise SealError("it must be a path, bytes, or an open file in which one can seek")


def openAtOnce(path, flags):
    return os.open(path, flags | os.O_NONBLOCK)  # else one may wait for the writer of a pipe


def noSeal(requireSeal, what):
    if requireSeal:
        raise SealError("it has no seal: minidl.Weights.seal(path) gives one to a file you trust")
    if Config.showWarnings:
        Config.getLogger().info(f"{what}, which has no seal: damage may stay unseen")


@contextlib.contextmanager
def opened(file):
    import h5py

    try:
        hdf = h5py.File(file, "r")
    except BaseException as error:
        # They hold a handle of h5py's which crashes if it outlives the interpreter.
        traceback.clear_frames(error.__traceback__)
        raise
    with hdf:
        yield hdf


def summary(failed, wrong):
    """The error's text: as many as have room, and how many more there are."""
    text = failed
    for i, each in enumerate(wrong):
        more, each = f" and {len(wrong) - i} more", shown(each, 250)
        if len(text) + len(each) + len(more) + 2 > mostText:
            return text.removesuffix("; ") + more
        text += f"{each}; "
    return text.removesuffix("; ")


def described(hdf):
    return f"{len(hdf)} bytes" if isinstance(hdf, (bytes, bytearray, memoryview)) else str(hdf)
