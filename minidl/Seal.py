"""
The seal of minidl's files, which shows damage before HDF5 sees a byte.

An h5 file may begin with a block for its user. In minidl's it holds a mark, the SHA-256 of all that
follows in hexadecimal digits, and its length in bytes, each with a line end, then zeros up to 512.
"""

import hashlib
import io

mark = b"MINIDL1\n"
blockSize = 512
signature = b"\x89HDF\r\n\x1a\n"  # with which HDF5's own part begins
pieceSize = 2 ** 16

# By the version of HDF5's part: where it says how long the block before it is.
baseAt = {0: 24, 1: 28, 2: 12, 3: 12}


class SealError(ValueError):
    """A file that is not what was sealed, or that should be sealed and is not."""


def bodyStart(start):
    """Where HDF5's part begins in a file that begins so; raises SealError if there is none."""
    if start[blockSize:].startswith(signature):
        return blockSize
    if not start.startswith(signature):
        raise SealError("it is no h5 file")
    at = baseAt.get(start[len(signature)], 0)
    if any(start[at:at + 8]):
        raise SealError("it is damaged: the block before its data is gone")
    return 0


def sealOf(file):
    """The block that `file`, which has room for it, should begin with."""
    body, length = hashlib.sha256(), 0
    file.seek(blockSize)
    while piece := file.read(pieceSize):
        body.update(piece)
        length += len(piece)
    return block(body, length)


def block(body, length):
    return (mark + f"{body.hexdigest()}\n{length}\n".encode()).ljust(blockSize, b"\0")


class Snapshot(io.RawIOBase):
    """
    A file as it is when this is made, without keeping its bytes: each piece that is read from here
    has the SHA-256 that it had then, or OSError is raised.
    """

    def __init__(self, file):
        self.file, self.digests, self.kept = file, [], (None, b"")
        self.start, self.length, self.place = b"", 0, 0
        body = hashlib.sha256()
        while piece := self.fetch(len(self.digests)):
            self.digests.append(hashlib.sha256(piece).digest())
            self.start = self.start or piece[:2 * blockSize]
            body.update(piece[max(0, blockSize - self.length):])
            self.length += len(piece)
        self.seal = block(body, self.length - blockSize)

    def isSealed(self):
        """Whether there is a seal, which fits; raises SealError where there must be and is not."""
        if self.start[:blockSize] == self.seal:
            return True
        if self.start.startswith(mark):
            raise SealError("it is damaged: it is not what was sealed (if you changed it yourself: "
                            "minidl.Weights.seal)")
        if bodyStart(self.start) > 0:
            raise SealError("the block before its data is no seal of minidl")
        return False

    def fetch(self, number):
        self.file.seek(number * pieceSize)
        piece = self.file.read(pieceSize)
        while len(piece) % pieceSize and (more := self.file.read(pieceSize - len(piece))):
            piece += more
        return piece

    def readinto(self, buffer):
        done = 0
        while done < len(buffer) and self.place < self.length:
            number, start = divmod(self.place, pieceSize)
            part = self.piece(number)[start:start + len(buffer) - done]
            buffer[done:done + len(part)] = part
            done += len(part)
            self.place += len(part)
        return done

    def piece(self, number):
        if self.kept[0] != number:
            piece = self.fetch(number)
            if hashlib.sha256(piece).digest() != self.digests[number]:
                raise OSError("the file changes while it is read")
            self.kept = number, piece
        return self.kept[1]

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self.place = offset + (0, self.place, self.length)[whence]
        return self.place
