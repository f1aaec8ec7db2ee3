"""
A data set as an h5 file: written piece by piece, in one step, and sealed.

The file begins with a block that h5 leaves to its users. Here it holds a mark and the SHA-256 of
all that follows, so that damage shows before anything else is read.
"""

import hashlib
import io

from minidl import H5Dataset
from minidl.AtomicFile import replacing
from minidl.Datasets.Source import DatasetError
from minidl.Guarded import Guarded, Problems, h5Errors

mark = b"minidl data set 1\n"
blockSize = 512
chunkBytes = 2 ** 18
parts = "test", "train"  # in this order


class Cache:
    """
    The file of a loader.

    Args:
        who: the loader's name, for errors.
        names: of the datasets.
        origin: text about what they are made of; None: that is not known, and any will do.
    """

    def __init__(self, who, path, names, origin):
        self.who, self.path, self.names, self.origin = who, path, names, origin

    def open(self):
        """(the open file, None), or (None, why it must be written)."""
        try:
            return self.tryToOpen()
        except OSError as error:
            return None, f"it cannot be read ({error})"

    def tryToOpen(self):
        import h5py

        if not self.path.is_file():
            return None, "there is none"
        with self.path.open("rb") as file:
            block = file.read(blockSize)
        if not block.startswith(mark) and h5py.is_hdf5(self.path):
            self.fail(f"{self.path} is an h5 file, but not the cache of a data set: give another "
                      f"cachename, or remove the file")
        if block != seal(self.path):
            return None, "it is damaged"

        file = h5py.File(self.path, "r")
        reason = self.unfit(file)
        if reason is not None:
            file.close()
            return None, reason
        return file, None

    def unfit(self, file):
        """Why a file that is not damaged is still another one than is wanted, or None."""
        guarded = Guarded(file, "/", Problems())
        try:
            if any(guarded.find(name) or H5Dataset.foreign(file[name]) for name in self.names):
                return "it holds something else"
            counts = [int(file.attrs[part]) for part in parts]
            lengths = {len(file[name]) for name in self.names}
            if lengths != {sum(counts)} or min(counts) < 0:
                return "its lengths differ"
            if self.origin not in (None, file.attrs["origin"]):
                return "the files have changed"
        except h5Errors as error:
            return f"it cannot be read ({error})"
        return None

    def write(self, compress, pieces):
        """`pieces(part)` gives tuples of arrays, one for each name, of some samples at a time."""
        import h5py

        with replacing(self.path) as temporary:
            with Sink(temporary, "w+") as sink:
                with h5py.File(sink, "w", libver="earliest", userblock_size=blockSize) as file:
                    file.attrs["origin"] = self.origin
                    for part in parts:
                        file.attrs[part] = 0
                        for arrays in pieces(part):
                            for name, array in zip(self.names, arrays, strict=True):
                                self.append(file, name, array, compress)
                            file.attrs[part] += len(arrays[0])
                            sink.check()
                sink.check()
            block = seal(temporary)
            with temporary.open("r+b") as raw:
                raw.write(block)

    def append(self, file, name, array, compress):
        shape = array.shape[1:]
        if name not in file:
            file.create_dataset(
                name, shape=(0, *shape), maxshape=(None, *shape), dtype=array.dtype,
                chunks=(max(1, chunkBytes // array[0].nbytes), *shape),
                compression=compress, shuffle=compress is not None)
        dataset = file[name]
        if dataset.shape[1:] != shape:
            self.fail(f"all samples must have the shape of the first, {dataset.shape[1:]}, got "
                      f"{shape}")
        dataset.resize(len(dataset) + len(array), axis=0)
        dataset[-len(array):] = array

    def fail(self, message):
        raise DatasetError(f"{self.who}: {message}")


class Sink(io.FileIO):
    """
    A file that keeps to itself that it could not be written, until it is asked.

    HDF5 cannot close a file on a full disk: it tries again later, and crashes.
    """

    error = None

    def write(self, data):
        rest = memoryview(data).cast("B")
        while rest and self.error is None:
            try:
                rest = rest[super().write(rest):]
            except OSError as error:
                self.error = error
        return len(data)

    def truncate(self, size=None):
        try:
            super().truncate(size)
        except OSError as error:
            self.error = error
        return size

    def check(self):
        if self.error is not None:
            raise self.error


def seal(path):
    return (mark + digest(path, start=blockSize).encode()).ljust(blockSize, b"\0")


def digest(path, algorithm="sha256", start=0):
    found = hashlib.new(algorithm)
    with open(path, "rb") as file:
        file.seek(start)
        while piece := file.read(2 ** 20):
            found.update(piece)
    return found.hexdigest()
