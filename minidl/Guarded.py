"""
Groups of h5 files that may be damaged or made to harm.

No link is followed but those to the file's own data, and nothing is read that is not as expected.
"""

import numpy as np

from minidl import H5Dataset

# What h5py has raised over damaged files.
h5Errors = OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError

mostLinks = 10 ** 5  # of a group


class Problems(list):
    """
    What is wrong with a file, in words. `misfits`, {name: words}, is apart: what a whole file has
    too much, too little or otherwise for its reader.
    """

    def __init__(self):
        super().__init__()
        self.misfits = {}


class Guarded:
    """
    A group of a file that may be damaged or hostile; what is wrong goes to `problems`.

    Args:
        file: an open h5py file or group.
        name: of a group in it; "/" is `file` itself. One that is missing is taken for empty.
    """

    def __init__(self, file, name, problems):
        import h5py

        self.h5py, self.name, self.problems, self.group = h5py, name, problems, None
        # What users have put into the file may be as large as the file, and no larger.
        self.bytesLeft = file.file.id.get_filesize() + H5Dataset.roomyBytes
        if name == "/":
            self.group = file
        elif (link := self.linkClass(file, name)) is h5py.HardLink:
            if file.get(name, getclass=True) is h5py.Group:
                self.group = file[name]
            else:
                self.problems.append(f"{shown(name)} is no group")
        elif link is not None:
            self.problems.append(f"{shown(name)} must be a hard link, not a {link.__name__}")

    def __contains__(self, key):
        return self.group is not None and self.linkClass(self.group, key) is not None

    def names(self):
        """Of all that is in the group; a file can pretend that there is no end of them."""
        found = []
        if self.group is not None:
            self.group.id.links.iterate(
                lambda name: found.append(name) or (len(found) > mostLinks or None))
        if len(found) > mostLinks:
            self.problems.append(f"{shown(self.name)} has more than {mostLinks} entries")
            return []
        return [name.decode("utf-8", "surrogateescape") for name in found]

    def refuseOthers(self, expected):
        for key in sorted(set(self.names()) - set(expected)):
            self.problems.misfits[self.label(key)] = f"{self.label(key)} is not in this module"

    def read(self, key, shape, dtype, alias=None):
        """
        The dataset as a host array of just this shape and dtype, or None. `alias` is the name of
        what it is for, where that is another.
        """
        label = self.label(key) + (f" ({shown(alias)})" if alias else "")
        if key not in self and alias is None:
            self.problems.misfits[key] = f"{label} is missing"
            return None
        reason = self.find(key)
        if reason is None:
            dataset = self.group[key]
            if misfit := unfit(dataset, shape, dtype):
                self.problems.misfits[alias or key] = f"{label} {misfit}"
                return None
            reason = H5Dataset.foreign(dataset)
        if reason is not None:
            self.problems.append(f"{label} {reason}")
            return None
        value = self.taken(dataset, label)
        return None if value is None else value.astype(dtype, casting="safe", copy=False)

    def readAny(self, key):
        """Numbers or text of whatever shape, or None."""
        label = self.label(key)
        reason = self.find(key) or self.suspect(self.group[key])
        if reason is not None:
            self.problems.append(f"{label} {reason}")
            return None
        dataset = self.group[key]
        self.bytesLeft -= dataset.nbytes
        if self.h5py.check_string_dtype(dataset.dtype) is None:
            value = self.taken(dataset, label)
            return value[()] if value is not None else None
        return self.readText(dataset, label)

    def taken(self, dataset, label):
        """The numbers of a dataset that nothing was found against, or None."""
        try:
            return H5Dataset.read(dataset)
        except h5Errors as error:
            self.problems.append(f"{label} cannot be read: {error}")
            return None

    def declared(self, key):
        """How many numbers the dataset says it has, or can have at most: gzip makes 1032 of one."""
        if self.find(key) or H5Dataset.foreign(self.group[key]):
            return 0
        dataset = self.group[key]
        return min(dataset.size or 0, 1032 * dataset.id.get_storage_size())

    def find(self, key):
        """Why the key names no dataset of this very file, or None."""
        link = None if self.group is None else self.linkClass(self.group, key)
        if link is None:
            return "is missing"
        if link is not self.h5py.HardLink:
            return f"must be a hard link, not a {link.__name__}"
        if self.group.get(key, getclass=True) is not self.h5py.Dataset:
            return "must be a dataset"
        return None

    def linkClass(self, group, key):
        """The class of that link of the group, which is not followed; None if there is none."""
        if key in ("", ".") or "/" in key or "\0" in key:
            return None  # it would be a path
        name, links = key.encode("utf-8", "surrogateescape"), group.id.links
        if not links.exists(name):
            return None
        kinds = {self.h5py.h5l.TYPE_HARD: self.h5py.HardLink,
                 self.h5py.h5l.TYPE_SOFT: self.h5py.SoftLink}
        return kinds.get(links.get_info(name).type, self.h5py.ExternalLink)

    def suspect(self, dataset):
        """Why a dataset of no known shape and dtype must not be read, or None."""
        if dataset.dtype.kind not in "biufc" and not self.h5py.check_string_dtype(dataset.dtype):
            return f"must be numbers or text, the file has {dataset.dtype}"
        if dataset.shape is None or dataset.nbytes > self.bytesLeft:
            return "must not hold more bytes than the file"
        return H5Dataset.foreign(dataset)

    def readText(self, dataset, label):
        """Text, one by one: each may point to as much as there is in the file."""
        text, value = dataset.asstr(), np.empty(dataset.shape, object)
        for index in np.ndindex(dataset.shape):
            value[index] = text[index]
            self.bytesLeft -= len(value[index])
            if self.bytesLeft < 0:
                self.problems.append(f"{label} must not hold more bytes than the file")
                return None
        return value[()]

    def label(self, key):
        return shown(f"{self.name}/{key}".lstrip("/"))


def unfit(dataset, shape, dtype):
    """Why the dataset is not what is expected, found before any of its bytes is read; or None."""
    if dataset.shape != shape:
        return f"must have shape {shape}, the file has {dataset.shape}"
    if not np.can_cast(dataset.dtype, dtype, casting="safe"):
        return f"must have dtype {dtype}, the file has {dataset.dtype}"
    return None


def shown(text, most=200):
    """As it can be printed, without its middle if it is long."""
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= most else f"{text[:most // 2 - 2]}...{text[1 - most // 2:]}"
