"""
The one guarded reader and atomic writer of h5 files: every load and save goes through it.

A file may be damaged or made to harm. It is read without following any reference out of it, and an
array only if its shape and dtype are those expected; a caller changes nothing before all is read.
A file is written beside its place and moved there in one step.
"""

import contextlib
import io
import os
import secrets
from pathlib import Path

import numpy as np

from minidl.Modules.Module import ModuleError

# What h5py has raised over damaged files.
h5Errors = OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError


class WeightsError(ModuleError):
    """A file that does not fit; no value of the module has changed."""


def readArrays(hdf, who, expected):
    """The datasets {path: (shape, dtype)} of an h5 file as host arrays, for the reader `who`."""
    with reading(hdf, who) as (group, problems):
        guarded = Guarded(group, "/", problems)
        return [guarded.read(name, *form) for name, form in expected.items()]


class Guarded:
    """A group of a file that may be damaged or hostile; what is wrong goes to `problems`."""

    def __init__(self, file, name, problems):
        import h5py

        self.h5py, self.name, self.problems = h5py, name, problems
        # The other filters have crashed on damaged data.
        self.filters = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}
        own = name == "/" or isinstance(file.get(name, getlink=True), h5py.HardLink)
        self.group = file[name] if own else {}
        if not isinstance(self.group, (h5py.Group, dict)):
            self.problems.append(f"{name} is no group")
            self.group = {}

    def __contains__(self, key):
        return key in self.group

    def refuseOthers(self, expected):
        for key in sorted(set(self.group) - expected):
            self.problems.append(f"{self.name}/{key} is not in this module")

    def read(self, key, shape, dtype, alias=None):
        """The dataset as a host array of just this shape and dtype, or None."""
        label = f"{self.name}/{key}" + (f" ({alias})" if alias else "")
        reason, dataset = self.find(key), None
        if reason is None:
            dataset = self.group[key]
            reason = self.unfit(dataset, shape, dtype)
        if reason is not None:
            self.problems.append(f"{label} {reason}")
            return None

        value = np.empty(shape, dataset.dtype)
        try:
            dataset.read_direct(value)
        except h5Errors as error:
            self.problems.append(f"{label} cannot be read: {error}")
            return None
        return value.astype(dtype, casting="safe")

    def readAny(self, key):
        """Numbers or text of whatever shape, or None."""
        reason = self.find(key) or self.suspect(self.group[key])
        if reason is not None:
            self.problems.append(f"{self.name}/{key} {reason}")
            return None
        dataset = self.group[key]
        isText = self.h5py.check_string_dtype(dataset.dtype) is not None
        return dataset.asstr()[()] if isText else dataset[()]

    def declared(self, key):
        """How many numbers the dataset says it has, or can have at most: gzip makes 1032 of one."""
        if self.find(key) or self.foreign(self.group[key]):
            return 0
        dataset = self.group[key]
        return min(dataset.size or 0, 1032 * dataset.id.get_storage_size())

    def find(self, key):
        """Why the key names no dataset of this very file, or None."""
        if key not in self.group:
            return "is missing"
        link = self.group.get(key, getlink=True)
        if not isinstance(link, self.h5py.HardLink):
            return f"must be a hard link, not a {type(link).__name__}"
        if self.group.get(key, getclass=True) is not self.h5py.Dataset:
            return "must be a dataset"
        return None

    def unfit(self, dataset, shape, dtype):
        """Why the dataset must not be read, found before any of its bytes is; or None."""
        if dataset.shape != shape:
            return f"must have shape {shape}, the file has {dataset.shape}"
        if not np.can_cast(dataset.dtype, dtype, casting="safe"):
            return f"must have dtype {dtype}, the file has {dataset.dtype}"
        return self.foreign(dataset)

    def suspect(self, dataset):
        """Why a dataset of no known shape and dtype must not be read, or None."""
        if dataset.dtype.kind not in "biufc" and not self.h5py.check_string_dtype(dataset.dtype):
            return f"must be numbers or text, the file has {dataset.dtype}"
        if dataset.shape is None or dataset.nbytes > max(dataset.id.get_storage_size(), 2 ** 20):
            return "must hold as many bytes as it says"
        return self.foreign(dataset)

    def foreign(self, dataset):
        """Why the dataset is none that `save` could have written, or None."""
        if dataset.is_virtual or dataset.external:
            return "must hold its own data, not refer to other files"
        plist = dataset.id.get_create_plist()
        if {plist.get_filter(i)[0] for i in range(plist.get_nfilters())} - self.filters:
            return "may be filtered by gzip and shuffle only"
        if dataset.size and not dataset.id.get_storage_size():
            return "holds no data"
        return None


@contextlib.contextmanager
def writing(hdf):
    """(group to write to, [what save returns]); a path's file is replaced when all is written."""
    import h5py

    if isinstance(hdf, h5py.Group):
        yield hdf, [None]
    elif hdf is None:
        image, result = io.BytesIO(), [None]
        with h5py.File(image, "w", libver="earliest") as file:
            yield file, result
        result[0] = image.getvalue()
    else:
        with replacing(Path(hdf)) as path, h5py.File(path, "w", libver="earliest") as file:
            yield file, [None]


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`, which takes its place in one step if all goes well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o7777)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path):
    """Waits until the file or folder is on the disk, not only on its way."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading(hdf, who):
    """
    (root group, list for problems) of a path, of a file's bytes, or of an open file or group.

    Raises WeightsError in the end if there were problems, before anything of `who` has changed.
    """
    import h5py

    problems, failed = [], f"{who}: cannot load {described(hdf)}: "
    if isinstance(hdf, h5py.Group):
        with damageTold(failed):
            yield hdf, problems
    else:
        if isinstance(hdf, (str, os.PathLike)) and not Path(hdf).is_file():
            raise WeightsError(failed + "there is no such file")
        try:
            file = h5py.File(io.BytesIO(hdf) if isinstance(hdf, (bytes, bytearray)) else hdf, "r")
        except h5Errors as error:
            raise WeightsError(f"{failed}it is no h5 file ({error})") from error
        with damageTold(failed), file:
            yield file, problems

    if problems:
        more = f" and {len(problems) - 12} more" if len(problems) > 12 else ""
        raise WeightsError(failed + "; ".join(problems[:12]) + more)


@contextlib.contextmanager
def damageTold(failed):
    """What h5py raises over a damaged file becomes a WeightsError."""
    try:
        yield
    except h5Errors as error:
        raise WeightsError(f"{failed}it is damaged ({error})") from error


def described(hdf):
    return f"{len(hdf)} bytes" if isinstance(hdf, (bytes, bytearray)) else str(hdf)
