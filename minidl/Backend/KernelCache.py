"""
Compiled kernels on disk: each is made once, and kept in the user's cache folder under a hash of its
making. A file ends with a digest of itself, so that a damaged one is found and made anew.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import stat
import tempfile
import warnings
from pathlib import Path

from minidl import Config

digestSize = hashlib.sha256().digest_size


def place(stem, ending, parts):
    """Where the kernel is kept whose making is described by the strings `parts`."""
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    return cacheFolder() / f"{stem}-{key}.{ending}"


def provide(path, make):
    """
    Sees to it that a sound file is at `path`: make(folder) returns the path of a new one, and is
    called only if there is none. Of several processes that ask at once, one makes it.
    """
    if not isSound(path):
        with lock(path.with_suffix(".lock")) as isAlone:
            if isSound(path):  # another process has made it while we waited
                return
            if isAlone:
                removeLeftovers(path)
            store(path, make)


def removeLeftovers(path):
    """Removes what processes have left that were killed at work."""
    for leftover in path.parent.glob(f"{path.stem}.build-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def store(path, make):
    # No TemporaryDirectory: a child forked meanwhile would remove it when it ends.
    folder = tempfile.mkdtemp(prefix=f"{path.stem}.build-", dir=path.parent)
    try:
        made = make(Path(folder))
        with open(made, "ab") as file:  # the loader ignores what follows the library proper
            file.write(digest(path, made.read_bytes()))
        made.replace(path)  # in one step: nobody ever sees half a file
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def isSound(path):
    """Whether the file is there, is the one of this name, and whole."""
    return read(path) is not None


def read(path):
    """What was made for this path; None if it is not there, or not whole, or another's."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    made, found = content[:-digestSize], content[-digestSize:]
    return made if digest(path, made) == found else None


def digest(path, content):
    return hashlib.sha256(path.name.encode() + content).digest()


@contextlib.contextmanager
def lock(path):
    """
    Holds the file's lock, which the system frees if this process dies. Yields whether it does: some
    file systems have no locks, and there several processes may do the same work.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            # Closing is not enough: a child forked meanwhile shares the lock, and would keep it.
            fcntl.flock(file, fcntl.LOCK_UN)


@functools.cache
def cacheFolder():
    """The folder of compiled libraries: the user's own, else a temporary one for this process."""
    folder = namedFolder()
    reason = whyUnfit(folder)
    if reason is None:
        return folder.absolute()
    if Config.showWarnings:
        warnings.warn(
            f"kernels will be compiled anew in each process, since the cache folder {folder} "
            f"{reason}; MINIDL_CACHE can name another", RuntimeWarning, stacklevel=2)
    return temporaryFolder()


def namedFolder():
    """Where the cache should be: as the user has said, else where users keep such things."""
    usual = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "minidl")
    return Path(os.path.expanduser(Config.cacheFolder or usual))


def whyUnfit(folder):
    """Why libraries must not be loaded from the folder, or None; makes it if it is not there."""
    if folder.parts[:1] == ("~",):
        return "lies in a home that is not known"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        return f"cannot be made ({error})"
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if status.st_uid != os.getuid():
        return "belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written"
    return None


def temporaryFolder():
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="minidl-"))
    owner = os.getpid()  # a forked child must not remove it
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    return folder
