"""Small data sets in the formats of the official ones, written into a folder."""

import gzip
import io
import struct
import tarfile

import numpy as np

mnistSizes = {"t10k": 3, "train": 7}
cifarNames = ["test_batch.bin", *(f"data_batch_{number}.bin" for number in range(1, 6))]


def idx(array):
    """The bytes of an IDX file of unsigned bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(
        f">{array.ndim}I", *array.shape) + array.tobytes()


def writeMnist(folder, rng, shape=(28, 28), packed=False):
    """(pixels, labels) of all samples, those for the test first."""
    pixels, labels = [], []
    for part, count in mnistSizes.items():
        pixels.append(rng.integers(0, 256, (count, *shape), np.uint8))
        labels.append(rng.integers(0, 10, count, np.uint8))
        for name, array in ("images-idx3", pixels[-1]), ("labels-idx1", labels[-1]):
            data = idx(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return np.concatenate(pixels), np.concatenate(labels)


def cifarBatches(rng, count=2):
    """({file's name: bytes}, pixels, labels), those for the test first."""
    pixels = rng.integers(0, 256, (6, count, 3, 32, 32), np.uint8)
    labels = rng.integers(0, 10, (6, count), np.uint8)
    files = {}
    for batch, name in enumerate(cifarNames):
        records = zip(labels[batch], pixels[batch], strict=True)
        files[name] = b"".join(bytes([label]) + image.tobytes() for label, image in records)
    return files, pixels.reshape(-1, 3, 32, 32), labels.reshape(-1)


def writeTar(path, files, changed=()):
    """Members {name: bytes} as plain files, then those TarInfo that are given as they are."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in changed:
            tar.addfile(member)
