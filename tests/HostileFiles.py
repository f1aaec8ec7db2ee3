"""
Files that were made to harm: {name: change(file, folder)}, which spoils an open h5 file of
WeightFiles.make. `folder` holds what they point to: secret.hdf, secret.bin, a pipe.
"""

import functools
import os
import struct
import zlib

import h5py
import numpy as np

from tests.WeightFiles import changed

secretNumber, secretBytes = 1234.5, b"SECRET.." * 10
single = np.dtype(np.float32)
W = "params/0"  # of shape (5, 4)
var = "attrs/net.bn.var"  # of shape (1, 4, 1, 1)
link = "links/net.lin.W"
epoch = "attrs.net/net.epoch"  # what a user has kept in the container


def makeSecrets(folder):
    (folder / "secret.bin").write_bytes(secretBytes)
    os.mkfifo(folder / "pipe")
    with h5py.File(folder / "secret.hdf", "w") as file:
        file[W] = np.full((5, 4), secretNumber, single)
        file[var] = np.full((1, 4, 1, 1), secretNumber, single)
        file[epoch], file[link] = secretNumber, 0


@functools.cache
def hostile(name, folder):
    """The sealed bytes of the file."""
    return changed(lambda file: cases[name](file, folder))


def put(path, value=None, **options):
    """A dataset in place of what is there."""
    def change(file, folder):
        remove(path)(file, folder)
        file.create_dataset(path, data=value, **options)
    return change


def remove(path):
    def change(file, folder):
        if path in file:
            del file[path]
    return change


def linked(path, target):
    """A link in place of what is there; `target(folder)` makes it."""
    def change(file, folder):
        del file[path]
        file[path] = target(folder)
    return change


def soft(target):
    return lambda folder: h5py.SoftLink(target)


def external(target, file="secret.hdf"):
    return lambda folder: h5py.ExternalLink(str(folder / file), target)


def storedOutside(path, shape, file="secret.bin"):
    def change(hdf, folder):
        del hdf[path]
        place = file if file.startswith("/") else str(folder / file)
        hdf.create_dataset(path, shape, single, external=[(place, 0, 4 * int(np.prod(shape)))])
    return change


def virtual(path, shape, source=W):
    def change(file, folder):
        del file[path]
        layout = h5py.VirtualLayout(shape, single)
        if source is not None:
            layout[...] = h5py.VirtualSource(str(folder / "secret.hdf"), source, shape)
        file.create_virtual_dataset(path, layout, fillvalue=secretNumber)
    return change


def sameObject(path, target):
    """A second hard link to what there is already."""
    def change(file, folder):
        del file[path]
        file[path] = file[target]
    return change


def group(path):
    def change(file, folder):
        del file[path]
        file.create_group(path)
    return change


def ofType(path, shape, make):
    """A dataset of a type that h5py has no word for."""
    def change(file, folder):
        del file[path]
        space = h5py.h5s.create_simple(shape)
        h5py.h5d.create(file.id, path.encode(), make(), space).write(
            h5py.h5s.ALL, h5py.h5s.ALL, np.full(shape, 1, single))
    return change


def oddFloat():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(100)
    return kind


def chunk(data, path=W, shape=(5, 4), skipped=0, **options):
    """A compressed dataset whose one chunk is stored as `data`."""
    def change(file, folder):
        del file[path]
        options.setdefault("chunks", shape)
        dataset = file.create_dataset(path, shape, single, compression="gzip", **options)
        dataset.id.write_direct_chunk((0,) * len(shape), data, skipped)
    return change


def bomb(size):
    """What unzips to `size` zeros, a multiple of a MiB: one piece of the stream over and over."""
    stream = zlib.compressobj(9)
    head = stream.compress(bytes(2 ** 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    piece = head[2:]  # behind the mark of zlib
    end = stream.flush()[:-4]
    return head + piece * (size // 2 ** 20 - 1) + end + struct.pack(">I", (size % 65521) << 16 | 1)


def someChunks(file, folder):
    del file[W]
    file.create_dataset(W, (5, 4), single, chunks=(2, 4), fillvalue=secretNumber)[:2] = 1


def manyLinks(file, folder):
    file["attrs.net/net.large"] = np.zeros(2 ** 20, np.uint8)
    for i in range(64):
        file[f"attrs.net/net.large{i}"] = file["attrs.net/net.large"]


def committed(path):
    def change(file, folder):
        del file[path]
        file[path] = np.dtype(np.float32)
    return change


def badText(file, folder):
    del file[epoch]
    dataset = file.create_dataset(epoch, (), h5py.string_dtype("utf-8", 3))
    dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(b"\xff\xfe\xfd", "S3"),
                     dataset.id.get_type())


def filtered(number):
    """A filter that nobody has, in the list of those that a chunk has been through."""
    def change(file, folder):
        del file[W]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((5, 4))
        plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL)
        h5py.h5d.create(file.id, W.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5, 4)),
                        plist).write_direct_chunk((0, 0), bytes(80), 1)
    return change


def twiceZipped(file, folder):
    del file[W]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((5, 4))
    plist.set_deflate(9)
    plist.set_deflate(9)
    data = zlib.compress(zlib.compress(bytes(80)))
    h5py.h5d.create(file.id, W.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5, 4)),
                    plist).write_direct_chunk((0, 0), data)


zeros = np.zeros((5, 4), single)
variances = np.ones((1, 4, 1, 1), single)
huge = 2 ** 40
zipped = zlib.compress(bytes(80))

cases = {
    "soft link": linked(W, soft("/params/1")),
    "soft link to itself": linked(W, soft("/params/0")),
    "soft link to nothing": linked(W, soft("/nowhere")),
    "soft link for statistics": linked(var, soft("/attrs/net.bn.mean")),
    "soft link for a link": linked(link, soft("/links/net.bn.scale")),
    "soft link in a container": linked(epoch, soft("/params/0")),
    "soft group of params": linked("params", soft("/links")),
    "soft group of links": linked("links", soft("/")),
    "soft group of a container": linked("attrs.net", soft("/params")),
    "external link": linked(W, external(W)),
    "external link for statistics": linked(var, external(var)),
    "external link for a link": linked(link, external(link)),
    "external link in a container": linked(epoch, external(epoch)),
    "external group of params": linked("params", external("/params")),
    "external group of links": linked("links", external("/links")),
    "external group of statistics": linked("attrs", external("/attrs")),
    "external group of a container": linked("attrs.net", external("/attrs.net")),
    "external link to a pipe": linked(W, external("/x", "pipe")),
    "external link to no file": linked(W, external("/x", "nothing")),
    "external storage": storedOutside(W, (5, 4)),
    "external storage of statistics": storedOutside(var, (1, 4, 1, 1)),
    "external storage in a container": storedOutside(epoch, (20,)),
    "external storage in a pipe": storedOutside(W, (5, 4), "pipe"),
    "external storage in a device": storedOutside(W, (5, 4), "/dev/zero"),
    "virtual dataset": virtual(W, (5, 4)),
    "virtual dataset for statistics": virtual(var, (1, 4, 1, 1), var),
    "virtual dataset in a container": virtual(epoch, (5, 4)),
    "virtual dataset of nothing": virtual(W, (5, 4), None),

    "group in a circle for params": sameObject("params", "/"),
    "group in a circle for a param": sameObject(W, "/"),
    "group in a circle for a container": sameObject("attrs.net", "/"),
    "group for a param": group(W),
    "group for a link": group(link),
    "group in a container": group(epoch),
    "dataset for params": put("params", 1),
    "dataset for statistics": put("attrs", 1),
    "dataset for a container": put("attrs.net", 1),
    "type for a param": committed(W),
    "type for params": committed("params"),
    "type in a container": committed(epoch),

    "no data": put(W, shape=(5, 4), dtype=single, fillvalue=secretNumber),
    "no chunks": put(W, shape=(5, 4), dtype=single, chunks=(5, 4), fillvalue=secretNumber),
    "some chunks": someChunks,
    "no data of statistics": put(var, shape=(1, 4, 1, 1), dtype=single, fillvalue=secretNumber),
    "huge shape": put(W, shape=(huge,), dtype=single, chunks=(1024,)),
    "huge shape of statistics": put(var, shape=(1, huge, 1, 1), dtype=single, chunks=(1, 9, 1, 1)),
    "huge shape in a container": put(epoch, shape=(huge,), dtype=single, chunks=(1024,)),
    "huge shape of text": put(epoch, shape=(huge,), dtype=h5py.string_dtype(), chunks=(1024,)),
    "huge chunks": chunk(bomb(2 ** 30), maxshape=(None, None), chunks=(2 ** 14, 2 ** 14)),
    "tiny chunks": put(epoch, shape=(1000, 1000), dtype=np.uint8, chunks=(1, 1)),
    "bomb": chunk(bomb(2 ** 32)),
    "small bomb": chunk(bomb(2 ** 20)),
    "bomb of statistics": chunk(bomb(2 ** 32), var, (1, 4, 1, 1)),
    "bomb in a container": chunk(bomb(2 ** 32), epoch, (20,)),
    "bomb in a large chunk": chunk(bomb(2 ** 32), epoch, (huge,), chunks=(2 ** 29,)),
    "many links to one dataset": manyLinks,

    "chunk of noise": chunk(bytes(range(100))),
    "chunk without end": chunk(zipped[:-4]),
    "chunk of too little": chunk(zlib.compress(bytes(76))),
    "chunk of too much": chunk(zlib.compress(bytes(84))),
    "chunk of one byte": chunk(b"x"),
    "chunk not zipped, too long": chunk(bytes(2 ** 20), skipped=1),
    "chunk not zipped, too short": chunk(bytes(10), skipped=1),
    "chunk twice zipped": twiceZipped,
    "checksum filter": put(W, zeros, fletcher32=True),
    "scale filter": put(W, zeros, scaleoffset=2),
    "lzf filter": put(W, zeros, compression="lzf"),
    "unknown filter": filtered(40000),

    "references": put(W, np.full((5, 4), None), dtype=h5py.ref_dtype),
    "references to regions": put(W, np.full((5, 4), None), dtype=h5py.regionref_dtype),
    "reference in a container": lambda file, folder: put(epoch, file[W].ref, dtype=h5py.ref_dtype)(
        file, folder),
    "lists": put(W, shape=(5, 4), dtype=h5py.vlen_dtype(single), fillvalue=None),
    "lists in a container": put(epoch, shape=(2,), dtype=h5py.vlen_dtype(single)),
    "pairs": put(W, np.zeros((5, 4), [("a", "f4")])),
    "pairs in a container": put(epoch, np.zeros(2, [("a", "f4"), ("b", "i8")])),
    "rows as numbers": put(W, np.zeros(5, [("a", "f4", (4,))])["a"].view("f4,f4,f4,f4")),
    "raw bytes": put(W, np.zeros((5, 4), "V4")),
    "raw bytes in a container": put(epoch, np.zeros(2, "V4")),
    "words": put(W, np.full((5, 4), "x", object), dtype=h5py.string_dtype()),
    "letters": put(W, np.full((5, 4), b"abcd")),
    "text that is none": badText,
    "odd numbers": ofType(W, (5, 4), oddFloat),
    "odd numbers in a container": ofType(epoch, (5, 4), oddFloat),
    "doubles": put(W, zeros.astype(np.float64)),
    "integers": put(W, zeros.astype(np.int32)),
    "complex numbers": put(W, zeros.astype(np.complex64)),
    "no shape at all": put(W, h5py.Empty(single)),
    "no shape in a container": put(epoch, h5py.Empty(single)),
    "one number": put(W, np.float32(1)),
    "one row": put(W, zeros[:1]),
    "columns": put(W, zeros.T),
    "no rows": put(W, zeros[:0]),
    "one variance": put(var, np.float32(1)),

    "link before the first": put(link, np.int64(-1)),
    "link past the last": put(link, np.int64(99)),
    "link far away": put(link, np.int64(2 ** 62)),
    "link without sign": put(link, np.uint64(2 ** 63)),
    "link of real type": put(link, 0.0),
    "link of text": put(link, "../secret"),
    "list of links": put(link, np.zeros(2 ** 20, np.int64)),
    "link to another shape": put(link, np.int64(1)),
    "link too many": put("links/net.lin.V", np.int64(0)),
    "link of an odd name": put("links/" + "x" * 300, np.int64(0)),
    "link up": put("links/..", np.int64(0)),
    "link of line ends": put("links/a\n\x1b[2J", np.int64(0)),
    "param too many": put("params/7", zeros),
    "statistics too many": put("attrs/net.bn.ключ", variances),
    "link too few": remove(link),
    "param too few": remove(W),
    "statistics too few": remove(var),
    "no params": remove("params"),
    "nothing": lambda file, folder: file.clear(),
    "negative variance": put(var, -variances),
    "variance that is no number": put(var, variances * np.nan),
    "infinite variance": put(var, variances * np.inf),
    "negative count": put("attrs/net.bn.numOfProps", np.int64(-1)),
    "count of real type": put("attrs/net.bn.numOfProps", np.nan),
}
