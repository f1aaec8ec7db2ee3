"""The files that data sets come in: read from front to back, each byte once, and never trusted."""

import contextlib
import gzip
import tarfile
import zlib

# What reading a damaged file has raised.
damage = OSError, EOFError, zlib.error, tarfile.TarError


class DatasetError(ValueError):
    """Files that are missing or that are not what they should be, or a cache that fails."""


class Source:
    """
    A file of a data set, or a member of an archive, for the loader `who`.

    Args:
        name: what errors call it.
        stream: what its bytes are read from.
        size: how many bytes it has; None: that is known at its end only, as of gzipped ones.
    """

    def __init__(self, who, name, stream, size=None):
        self.who, self.name, self.stream, self.size = who, name, stream, size
        self.expected, self.position = None, 0

    def expect(self, size):
        """How many bytes the file must have by what it says of itself."""
        self.expected = size
        if self.size not in (None, size):
            self.fail(f"must have {size} bytes by its header, has {self.size}")

    def take(self, size):
        """The next bytes, just so many."""
        data = self.read(size)
        self.position += len(data)
        if len(data) < size:
            wanted = self.expected or self.position - len(data) + size
            self.fail(f"must have {wanted} bytes, ends after {self.position}")
        return data

    def end(self):
        if self.read(1):
            self.fail(f"must have {self.position} bytes, has more")

    def read(self, size):
        try:
            return self.stream.read(size)
        except damage as error:
            self.fail(f"cannot be read: {error}", error)

    def fail(self, message, cause=None):
        raise DatasetError(f"{self.who}: {self.name} {message}") from cause


@contextlib.contextmanager
def opened(who, path):
    """The Source of a file. Its content, not its name, tells whether it is gzipped."""
    try:
        file = open(path, "rb")
    except OSError as error:
        raise DatasetError(f"{who}: {path} cannot be read: {error}") from error
    with file:
        isGzip = file.read(2) == b"\x1f\x8b"
        size = file.seek(0, 2)
        file.seek(0)
        yield Source(who, path, gzip.GzipFile(fileobj=file) if isGzip else file,
                     None if isGzip else size)
