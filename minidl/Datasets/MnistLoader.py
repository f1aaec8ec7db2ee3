import math
import struct

import numpy as np

from minidl.Datasets.DataLoader import DataLoader
from minidl.Datasets.Source import opened

mostPixels = 2 ** 24  # of an image
mostBytes = 2 ** 31  # of a file when unpacked


class MnistLoader(DataLoader):
    """
    MNIST, and sets in the same format such as Fashion-MNIST: gray images in [0, 1].

    The folder holds the four files t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte,
    train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or as .gz. Their headers tell the
    number of images and their size. Of MNIST, `load` gives float32 of shape (70000, 1, 28, 28),
    10000 images for the test, then 60000 to train on.

        trainData, trainLabels, testData, testLabels = MnistLoader().split("folder")

    `url` is MNIST's; whoever wants another set by download=True gives the loader another one.

    Args:
        onSample, cachename: as DataLoader's.
    """

    names = [f"{part}-{kind}-ubyte" for part in ("t10k", "train")
             for kind in ("images-idx3", "labels-idx1")]
    files = [f"{name}.gz" for name in names]
    url = "https://ossci-datasets.s3.amazonaws.com/mnist/"

    def __init__(self, onSample=None, cachename="mnist.hdf"):
        super().__init__(cachename=cachename, onSample=onSample)

    def sources(self, folder):
        found = [self.find(folder, name) for name in self.names]
        lacking = [name for name, path in zip(self.names, found, strict=True) if path is None]
        if lacking:
            self.fail(f"{folder} must hold {', '.join(self.names)}, plain or as .gz; missing are "
                      f"{', '.join(lacking)}: put them there, or load with download=True")
        return found

    def find(self, folder, name):
        # Some have unpacked the files under names with a dot.
        spellings = name, f"{name}.gz", name.replace("-idx", ".idx")
        paths = [folder / spelling for spelling in spellings]
        return next((path for path in paths if path.is_file()), None)

    def pieces(self, sources, part, log):
        pixelsPath, labelsPath = sources[:2] if part == "test" else sources[2:]
        who = type(self).__name__
        with opened(who, pixelsPath) as pixelsFile, opened(who, labelsPath) as labelsFile:
            count, *shape = readHeader(pixelsFile, axes=3)
            labelCount, = readHeader(labelsFile, axes=1)
            if labelCount != count:
                labelsFile.fail(f"must have a label for each of the {count} images in "
                                f"{pixelsPath}, has {labelCount}")
            area = math.prod(shape)
            for size in self.steps(count, area, f"{part} images", log):
                pixels = np.frombuffer(pixelsFile.take(size * area), np.uint8)
                labels = np.frombuffer(labelsFile.take(size), np.uint8)
                self.checkLabels(labels, labelsFile)
                yield pixels.reshape(size, 1, *shape), labels
            pixelsFile.end()
            labelsFile.end()

    def scaled(self, pixels):
        return pixels.astype(np.float32) / 255


def readHeader(source, axes):
    """The sizes that an IDX file of unsigned bytes begins with."""
    magic = bytes([0, 0, 8, axes])
    found = source.take(4)
    if found != magic:
        source.fail(f"must begin with {magic.hex(' ')}, as IDX files of bytes with {axes} axes "
                    f"do, begins with {found.hex(' ')}")
    sizes = struct.unpack(f">{axes}I", source.take(4 * axes))
    if 0 in sizes or math.prod(sizes[1:]) > mostPixels or math.prod(sizes) > mostBytes:
        source.fail(f"must have 1 to {mostBytes} bytes of data and at most {mostPixels} pixels an "
                    f"image, its header says {sizes}")
    source.expect(source.position + math.prod(sizes))
    return sizes
