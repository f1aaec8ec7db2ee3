import contextlib

import numpy as np

from minidl.Datasets.Archive import archive
from minidl.Datasets.DataLoader import DataLoader
from minidl.Datasets.Source import opened

shape = 3, 32, 32
recordBytes = 1 + 3 * 32 * 32  # the label, then the red, green and blue pixels
binaryFolder = "cifar-10-batches-bin"
batches = {"test": ["test_batch.bin"],
           "train": [f"data_batch_{number}.bin" for number in range(1, 6)]}
names = batches["test"] + batches["train"]
remedy = "take the binary version, cifar-10-binary.tar.gz"


class Cifar10Loader(DataLoader):
    """
    CIFAR-10, the binary version: colour images in [-1, 1].

    The folder holds cifar-10-binary.tar.gz, or .tar, or what is in it: test_batch.bin and
    data_batch_1.bin to data_batch_5.bin, maybe in cifar-10-batches-bin. `load` gives float32 of
    shape (60000, 3, 32, 32), 10000 images for the test, then 50000 to train on.

        trainData, trainLabels, testData, testLabels = Cifar10Loader().split("folder")

    Args:
        onSample, cachename: as DataLoader's.
    """

    files = ["cifar-10-binary.tar.gz"]
    url = "https://www.cs.toronto.edu/~kriz/"

    def __init__(self, onSample=None, cachename="cifar10.hdf"):
        super().__init__(cachename=cachename, onSample=onSample)

    def sources(self, folder):
        for place in folder, folder / binaryFolder:
            if all((place / name).is_file() for name in names):
                return [place / name for name in names]
        for name in "cifar-10-binary.tar.gz", "cifar-10-binary.tar":
            if (folder / name).is_file():
                return [folder / name]

        for name in "cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1":
            if (folder / name).exists():
                self.fail(f"{folder / name} is the Python version of CIFAR-10, whose files can run "
                          f"code when they are read: {remedy}")
        self.fail(f"{folder} must hold cifar-10-binary.tar.gz or {', '.join(names)}: put them "
                  f"there, or load with download=True")

    def pieces(self, sources, part, log):
        with self.opener(sources) as openBatch:
            for name in batches[part]:
                with openBatch(name) as source:
                    yield from self.records(source, f"{part} images", log)

    @contextlib.contextmanager
    def opener(self, sources):
        """A function that opens the batch of a name, from files or from an archive of them."""
        who = type(self).__name__
        if len(sources) > 1:
            paths = {path.name: path for path in sources}
            yield lambda name: opened(who, paths[name])
            return
        with archive(who, sources[0]) as members:
            found = {name: members.get(f"{binaryFolder}/{name}") or members.get(name)
                     for name in names}
            lacking = [name for name in names if found[name] is None]
            if lacking:
                self.fail(f"{sources[0]} must hold {', '.join(lacking)}, has "
                          f"{', '.join(list(members)[:8]) or 'no files'}: {remedy}")
            yield lambda name: contextlib.nullcontext(found[name]())

    def records(self, source, label, log):
        if source.size is None:
            source.fail("must be a plain file, is gzipped")
        count, rest = divmod(source.size, recordBytes)
        if rest or not count:
            source.fail(f"must have {recordBytes} bytes an image, has {source.size} in all")
        for size in self.steps(count, recordBytes, label, log):
            records = np.frombuffer(source.take(size * recordBytes), np.uint8)
            labels, pixels = np.split(records.reshape(size, recordBytes), [1], axis=1)
            self.checkLabels(labels, source)
            yield pixels.reshape(size, *shape), labels[:, 0]

    def scaled(self, pixels):
        return pixels.astype(np.float32) * 2 / 255 - 1
