"""
The one guarded reader and atomic writer of h5 files: every load and save goes through it.

    /params/<i>              the arrays of the variables, in order of first meeting
    /links/<name>.<var>      the number i of a variable; those that modules share have several links
    /attrs/<name>.<attr>     state that is not trained
    /attrs.<container>/<container's own name>.<attr>
    /blueprint               json: how to build the module (on request)

The layout is PuzzleLib's. <name> is the module's path from the root, joined by dots.
"""

import contextlib
import io
import json
import os
import secrets
from pathlib import Path

import numpy as np

from minidl.Backend import gpuarray
from minidl.Modules.Module import ModuleError


class WeightsError(ModuleError):
    """A file that does not fit; no value of the module has changed."""


def save(module, hdf=None, name=None, compress="gzip", assumeUniqueNames=False,
         withBlueprint=False):
    """See Module.save."""
    root = rootName(module, name)
    with writing(hdf) as (group, result):
        links, attrs = group.create_group("links"), None
        params = group.create_group("params")
        for i, (var, names) in enumerate(module.getVarTable(name=root).items()):
            params.create_dataset(str(i), data=var.data.get(), compression=compress)
            for each in names:
                links[shortened(each, assumeUniqueNames)] = np.int64(i)

        for path, owner in module.namedModules(root):
            if owner.isContainer:
                own = group.create_group(f"attrs.{path}")
                for key, value in owner.attrs.items():
                    own[f"{owner.name or ''}.{key}"] = value
                continue
            for key, value in owner.attrs.items():
                attrs = attrs if attrs is not None else group.create_group("attrs")
                attrs[shortened(f"{path}.{key}", assumeUniqueNames)] = gpuarray.toHost(value)

        if withBlueprint:
            group["blueprint"] = json.dumps(module.getBlueprint(), indent=4, sort_keys=True)
    return result[0]


def load(module, hdf, name=None, assumeUniqueNames=False):
    """See Module.load."""
    root = rootName(module, name)
    values = []
    with reading(hdf, module) as (group, problems):
        links, expected = Guarded(group, "links", problems), set()
        params = Guarded(group, "params", problems)
        for var, names in module.getVarTable(name=root).items():
            keys = [shortened(each, assumeUniqueNames) for each in names]
            expected.update(keys)
            numbers = {int(number) for key in keys
                       if (number := links.read(key, (), np.dtype(np.int64))) is not None}
            if len(numbers) > 1:
                problems.append(f"{' and '.join(keys)} are one variable here, in the file several")
            for number in numbers:
                value = params.read(str(number), var.data.shape, var.data.dtype, keys[0])
                values.append((var.data, value))
        links.refuseOthers(expected)

        values += loadAttrs(module, root, group, assumeUniqueNames, problems)

    for target, value in values:
        target[...] = value


def readArrays(hdf, who, expected):
    """The datasets {path: (shape, dtype)} of an h5 file as host arrays, for the reader `who`."""
    with reading(hdf, who) as (group, problems):
        guarded = Guarded(group, "/", problems)
        return [guarded.read(name, *form) for name, form in expected.items()]


def loadAttrs(module, root, group, assumeUniqueNames, problems):
    """[(attribute's array, its value in the file)] of all modules that are no containers."""
    attrs, expected, values = Guarded(group, "attrs", problems), set(), []
    for path, owner in module.namedModules(root):
        for name, target in owner.attrs.items() if not owner.isContainer else ():
            key = shortened(f"{path}.{name}", assumeUniqueNames)
            expected.add(key)
            if key not in attrs and owner.attrMissing(name) is not None:
                values.append((target, owner.attrMissing(name)))
                continue
            value = attrs.read(key, target.shape, target.dtype)
            if value is not None:
                if reason := owner.attrProblem(name, value):
                    problems.append(f"{key} {reason}")
                values.append((target, value))
    attrs.refuseOthers(expected)
    return values


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
        except (OSError, RuntimeError) as error:
            self.problems.append(f"{label} cannot be read: {error}")
            return None
        return value.astype(dtype, casting="safe")

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
        if dataset.is_virtual or dataset.external:
            return "must hold its own data, not refer to other files"
        plist = dataset.id.get_create_plist()
        if {plist.get_filter(i)[0] for i in range(plist.get_nfilters())} - self.filters:
            return "may be filtered by gzip and shuffle only"
        if dataset.shape != shape:
            return f"must have shape {shape}, the file has {dataset.shape}"
        if not np.can_cast(dataset.dtype, dtype, casting="safe"):
            return f"must have dtype {dtype}, the file has {dataset.dtype}"
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
        yield hdf, problems
    else:
        if isinstance(hdf, (str, os.PathLike)) and not Path(hdf).is_file():
            raise WeightsError(failed + "there is no such file")
        try:
            file = h5py.File(io.BytesIO(hdf) if isinstance(hdf, (bytes, bytearray)) else hdf, "r")
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"{failed}it is no h5 file ({error})") from error
        with file:
            yield file, problems

    if problems:
        more = f" and {len(problems) - 12} more" if len(problems) > 12 else ""
        raise WeightsError(failed + "; ".join(problems[:12]) + more)


def described(hdf):
    return f"{len(hdf)} bytes" if isinstance(hdf, (bytes, bytearray)) else str(hdf)


def rootName(module, name):
    return name or module.name or ""


def shortened(path, assumeUniqueNames):
    """The path, or net.conv.W for net.block.conv.W: of modules the first and the last name only."""
    *modules, last = path.split(".")
    if assumeUniqueNames and len(modules) > 2:
        modules = [modules[0], modules[-1]]
    return ".".join([*modules, last])
