"""Members of tar and tar.gz files, read in place: nothing is extracted, no link is followed."""

import contextlib
import tarfile
from pathlib import PurePosixPath

from minidl.Datasets.Source import Source, damage, opened

mostMembers = 1000
mostBytes = 2 ** 30  # of the archive when unpacked
mostAtOnce = 2 ** 20  # bytes of a header


class Capped:
    """The stream that tarfile reads, whose headers may claim to be of any length."""

    def __init__(self, stream):
        self.stream, self.seek, self.tell = stream, stream.seek, stream.tell

    def read(self, size):
        if size > mostAtOnce:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.stream.read(size)


@contextlib.contextmanager
def archive(who, path):
    """{member's name: function that gives its Source} of the plain files in an archive."""
    with opened(who, path) as source:
        try:
            with tarfile.open(fileobj=Capped(source.stream), mode="r:") as tar:
                members = {member.name: member for member in plainFiles(tar, source)}
                yield {name: lambda member=member: Source(
                    who, f"{path}/{member.name}", tar.extractfile(member), member.size)
                    for name, member in members.items()}
        except damage as error:
            source.fail(f"cannot be read as a tar archive: {error}", error)


def plainFiles(tar, source):
    seen = set()
    for member in tar:
        # Checked before tarfile walks to the next one, and unpacks what lies between.
        if member.offset_data + member.size > mostBytes or len(seen) == mostMembers:
            source.fail(f"must have at most {mostMembers} members and {mostBytes} bytes")
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            source.fail(f"must have members inside of it only, has {member.name}")
        if not member.isdir() and (not member.isreg() or member.issparse()):
            source.fail(f"must have plain files only, {member.name} is none")
        if member.name in seen:
            source.fail(f"must have each member once, has {member.name} twice")
        seen.add(member.name)
        if member.isreg():
            yield member
