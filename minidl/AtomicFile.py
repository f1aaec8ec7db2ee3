"""Files that are replaced in one step: there is always the old one or the new one, whole."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """
    A temporary path beside `path`, which takes its place in one step if all goes well.

    A new file has the mode 0666 less the umask, one that is replaced keeps its mode. Of a symbolic
    link what it points to is replaced. What is no plain file is not: OSError.
    """
    path = Path(os.path.realpath(path))
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise OSError(errno.EINVAL, "there is something that is no plain file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    removeLeftOver(path)

    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    temporary = path.with_name(f"{prefix(path)}{ownProcess()}.{secrets.token_hex(4)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    held = os.open(temporary, flags, 0o666 if mode is None else mode)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(held, fcntl.LOCK_EX)
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(held)


def sync(path):
    """Waits until the file or folder is on the disk, not only on its way."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prefix(path):
    # Names have at most 255 bytes: that of the file may fill them all.
    return f".{path.name.encode()[:150].decode(errors='ignore')}."


def ownProcess():
    return f"{os.getpid()}-{startOf(os.getpid())}"


def startOf(pid):
    """When the process began, in ticks since the machine did; None: there is none any more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def removeLeftOver(path):
    """Removes what saves to `path` have left whose processes were killed."""
    form = re.compile(re.escape(prefix(path)) + r"(\d+)-(\d+)\.[0-9a-f]{8}\.tmp")
    for name in os.listdir(path.parent):
        match = form.fullmatch(name)
        if match and startOf(match[1]) != match[2]:
            removeUnlocked(path.with_name(name))


def removeUnlocked(path):
    """Removes the file, unless it is held by a process of another machine or container."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
