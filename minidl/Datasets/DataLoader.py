import json
from pathlib import Path

import numpy as np

from minidl import Config
from minidl.Datasets.Cache import Cache, digest
from minidl.Datasets.Rows import Rows
from minidl.Datasets.Source import DatasetError
from minidl.Progress import progress

pieceBytes = 2 ** 20  # that a file is read in


class DataLoader:
    """
    The contract of what reads a data set's files, and keeps it as an h5 file beside them.

    That cache is written when there is none, when the files are not those it was made of (by name,
    size and time), when it is damaged, and when `onSample` has another name. Without the files it
    is taken as it is.

    Args:
        datanames: of the datasets in the cache.
        cachename: of the cache, in the folder of the files, or a path of its own.
        onSample: what is done to each sample, a float32 array, before it is kept. Whoever changes
            the function calls `clear` first.

    A loader has `files` (their names in the folder, or on the way there), `url`, the folder to
    download them from, `sources(folder)`, `pieces(sources, part, log)` and `scaled(pixels)`.
    """

    classes = 10

    def __init__(self, datanames=None, cachename=None, *, onSample=None):
        self.datanames, self.cachename = datanames or ["data", "labels"], cachename
        self.onSample = onSample
        self.cache = self.cachepath = None

    def load(self, path, compress="gzip", log=True, *, download=False, checksums=None):
        """
        (data, labels) as h5 datasets, the samples for the test first; labels are int32.

        Args:
            path: folder of the files.
            compress: "gzip" or None, of a cache that is written now.
            log: whether to tell what takes time.
            download: whether to fetch the files into the folder if some are missing.
            checksums: {file's name: its MD5 or SHA-256, as hexadecimal digits} that must hold.
        """
        if compress not in ("gzip", None):
            self.fail(f'compress must be "gzip" or None, got {compress!r}')
        folder = Path(path)
        sources, lacking = self.found(folder)
        if lacking and download:
            self.download(folder, log)
            sources, lacking = self.found(folder)
        if lacking and checksums:
            raise lacking
        self.verify(sources, checksums or {})

        self.cachepath = folder / self.cachename
        cache = Cache(
            type(self).__name__, self.cachepath, self.datanames, self.origin(sources))
        self.cache, reason = cache.open()
        if self.cache is None:
            if lacking:
                raise lacking
            self.cache = self.build(cache, sources, compress, log, reason)
        return tuple(self.cache[name] for name in self.datanames)

    def split(self, path, compress="gzip", log=True, *, download=False, checksums=None):
        """(trainData, trainLabels, testData, testLabels) as Rows, which are read in slices."""
        datasets = self.load(path, compress, log, download=download, checksums=checksums)
        held = int(self.cache.attrs["test"])
        return (*(Rows(dataset, held) for dataset in datasets),
                *(Rows(dataset, 0, held) for dataset in datasets))

    def close(self):
        """Closes the cache, and with it the datasets that the last `load` has given."""
        if self.cache is not None:
            self.cache.close()
            self.cache = None

    def clear(self):
        """Removes the cache that the last `load` has made or found."""
        self.close()
        if self.cachepath is not None:
            self.cachepath.unlink(missing_ok=True)

    def sources(self, folder):
        """The paths of all files that are read; raises DatasetError where one is missing."""
        raise NotImplementedError(f"{type(self).__name__} has no sources")

    def pieces(self, sources, part, log):
        """Gives (pixels, labels) of some samples at a time, as uint8; `part` is test or train."""
        raise NotImplementedError(f"{type(self).__name__} has no pieces")

    def scaled(self, pixels):
        """The pixels, which are uint8, as float32."""
        raise NotImplementedError(f"{type(self).__name__} has no scaled")

    def found(self, folder):
        """(the files, None), or (no files, the error about those that are missing)."""
        try:
            if not folder.is_dir():
                self.fail(f"there is no folder {folder}")
            return self.sources(folder), None
        except DatasetError as error:
            return [], error

    def origin(self, sources):
        """What the cache is made of, as text: another text, another cache. None: no files."""
        if not sources:
            return None
        stats = [(source.name, source.stat()) for source in sources]
        files = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
        named = self.onSample if hasattr(self.onSample, "__qualname__") else type(self.onSample)
        return json.dumps(
            {"files": files, "loader": type(self).__name__, "onSample": named.__qualname__})

    def verify(self, sources, checksums):
        byName = {source.name: source for source in sources}
        for name, expected in checksums.items():
            algorithm = {32: "md5", 64: "sha256"}.get(len(expected))
            if algorithm is None or name not in byName:
                self.fail(f"checksums must be MD5 or SHA-256 of {', '.join(byName)}, "
                          f"got {expected} of {name}")
            found = digest(byName[name], algorithm)
            if found != expected.lower():
                self.fail(f"{byName[name]} must have the {algorithm} {expected}, has {found}")

    def download(self, folder, log):
        from minidl.Datasets.Download import fetch  # http takes long to import

        for name in self.files:
            if not (folder / name).is_file():
                fetch(self.url + name, folder / name, type(self).__name__, log)

    def build(self, cache, sources, compress, log, reason):
        if log:
            Config.getLogger().info(f"{type(self).__name__} writes {cache.path}: {reason}")
        try:
            cache.write(compress, lambda part: map(self.converted, self.pieces(sources, part, log)))
        except OSError as error:
            self.fail(f"cannot write the cache {cache.path} ({error}): give cachename=, the path "
                      f"of a file where there is room and leave to write", error)
        file, reason = cache.open()
        if file is None:
            self.fail(f"has written the cache {cache.path}, but {reason}")
        return file

    def converted(self, piece):
        pixels, labels = piece
        data = self.scaled(pixels)
        if self.onSample is not None:
            data = np.stack([self.onSample(sample) for sample in data]).astype(np.float32)
        return data, labels.astype(np.int32)

    def steps(self, count, sampleBytes, label, log):
        """The sizes of pieces that make up `count` samples."""
        step = max(1, pieceBytes // sampleBytes)
        for start in progress(range(0, count, step), label, log):
            yield min(step, count - start)

    def checkLabels(self, labels, source):
        if labels.max() >= self.classes:
            source.fail(f"must have labels from 0 to {self.classes - 1}, has {labels.max()}")

    def fail(self, message, cause=None):
        raise DatasetError(f"{type(self).__name__}: {message}") from cause
