"""
Datasets of h5 files that may be hostile: what is refused unread, and a reader that bounds memory.

HDF5 inflates a compressed chunk to whatever size its bytes say, and has crashed in other filters.
So chunks are inflated here, up to the size that they must have.
"""

import itertools
import math
import zlib

import numpy as np

roomyBytes = 2 ** 20  # so much may be asked for without a reason
pointerBytes = 16  # that a file has of each text without a fixed length


def foreign(dataset):
    """Why the dataset is none that `save` or PuzzleLib could have written, or None."""
    import h5py

    if dataset.is_virtual or dataset.external:
        return "must hold its own data, not refer to other files"
    if filtersOf(dataset) not in allowedFilters():
        return "may be filtered by gzip and shuffle only"
    isText = h5py.check_string_dtype(dataset.dtype) is not None
    if not isText and h5py.h5t.py_create(dataset.dtype, logical=True) != dataset.id.get_type():
        return "must be of a common type"
    if dataset.chunks is not None:
        return "must not be text in chunks" if isText else oddChunks(dataset)
    itemBytes = pointerBytes if dataset.dtype.hasobject else dataset.dtype.itemsize
    if dataset.id.get_storage_size() != dataset.size * itemBytes:
        return "holds no data"
    return None


def oddChunks(dataset):
    """Why the dataset's chunks would cost more than its data, or None."""
    if math.prod(dataset.chunks) * dataset.dtype.itemsize > max(dataset.nbytes, roomyBytes):
        return f"must not be cut into chunks of {dataset.chunks}, which are larger than it is"
    chunks = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    if chunks > 1024 + dataset.nbytes // 1024:
        return f"must not be cut into {chunks} chunks"
    return None


def filtersOf(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]


def allowedFilters():
    from h5py import h5z

    shuffle, deflate = h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE
    return [], [shuffle], [deflate], [shuffle, deflate]


def read(dataset):
    """Its numbers as a host array; `foreign` must have found nothing."""
    value = np.empty(dataset.shape, dataset.dtype)
    if dataset.chunks is None:
        dataset.read_direct(value)
        return value

    filters = filtersOf(dataset)
    for corner in itertools.product(*map(range, (0,) * value.ndim, value.shape, dataset.chunks)):
        target = value[tuple(slice(i, i + n) for i, n in zip(corner, dataset.chunks, strict=True))]
        chunk = np.frombuffer(readChunk(dataset, corner, filters), value.dtype)
        chunk = chunk.reshape(dataset.chunks)
        target[...] = chunk[tuple(map(slice, target.shape))]
    return value


def readChunk(dataset, corner, filters):
    """The bytes of one chunk; as many as it should have, if it was zipped."""
    from h5py import h5z

    itemSize = dataset.dtype.itemsize
    size = math.prod(dataset.chunks) * itemSize
    stored = dataset.id.get_chunk_info_by_coord(corner)
    if stored.byte_offset is None:
        raise ValueError("holds no data in places")
    if stored.size > size + size // 100 + 1024:
        raise ValueError("a chunk is larger than what it holds")

    skipped, data = dataset.id.read_direct_chunk(corner)
    for i, code in reversed([*enumerate(filters)]):
        if skipped >> i & 1:
            continue
        if code == h5z.FILTER_DEFLATE:
            data = inflated(data, size)
        else:
            data = np.frombuffer(data, np.uint8).reshape(itemSize, -1).T.tobytes()
    return data


def inflated(data, size):
    """The `size` bytes that `data` unzips to."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"a chunk does not unzip ({error})") from error
    if len(data) != size or not stream.eof:
        raise ValueError("a chunk does not unzip to its size")
    return data
