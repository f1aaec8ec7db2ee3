"""The cache of compiled kernels: folders that must not be used, and who makes a file."""

import errno
import os
import threading
import time

import pytest

from minidl import Config
from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from tests.Processes import run, useKernel

text = 'extern "C" int answer() { return 42; }'


def makeWritableByAll(folder):
    folder.mkdir()
    folder.chmod(0o777)


def makeWritableByGroup(folder):
    folder.mkdir()
    folder.chmod(0o770)


def makeLink(folder):
    real = folder.with_name("real")
    real.mkdir(mode=0o700)
    folder.symlink_to(real)


def makeLinkToNothing(folder):
    folder.symlink_to("nowhere")


def makeFile(folder):
    folder.write_text("")


def makeFileInTheWay(folder):
    folder.parent.rmdir()
    folder.parent.write_text("")


def makeForeign(folder):
    if os.getuid():
        pytest.skip("only root can give a folder to another user")
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize("make, reason", [
    (makeWritableByAll, "can be written by other users"),
    (makeWritableByGroup, "can be written by other users"),
    (makeLink, "is a symbolic link"),
    (makeLinkToNothing, "cannot be made"),
    (makeFile, "cannot be made"),
    (makeFileInTheWay, "cannot be made"),
    (makeForeign, "belongs to another user"),
])
def test_unfit_cache_folder_is_not_used(make, reason, fresh, tmp_path, monkeypatch):
    folder = tmp_path / "home" / "cache"
    folder.parent.mkdir()
    make(folder)
    monkeypatch.setattr(Config, "cacheFolder", str(folder))

    with pytest.warns(RuntimeWarning, match=f"{reason}.*MINIDL_CACHE can name another"):
        used = KernelCache.cacheFolder()

    assert used != folder and used.stat().st_mode & 0o777 == 0o700
    assert HostCompiler.load("Answer", text).answer() == 42
    assert not folder.is_dir() or not list(folder.iterdir())


def test_warning_of_an_unfit_folder_can_be_turned_off(fresh, tmp_path, monkeypatch):
    makeFile(tmp_path / "cache")
    monkeypatch.setattr(Config, "cacheFolder", str(tmp_path / "cache"))
    monkeypatch.setattr(Config, "showWarnings", False)

    assert KernelCache.cacheFolder() != tmp_path / "cache"


def test_folder_that_its_user_cannot_write_is_not_used():
    # Root can write anywhere, so a process of root's becomes another user's first.
    script = """
import os, pathlib, tempfile
from minidl.Backend import KernelCache
folder = pathlib.Path(tempfile.mkdtemp())
if os.getuid() == 0:
    os.chown(folder, 12345, 12345)
    os.setuid(12345)
folder.chmod(0o500)
print(KernelCache.whyUnfit(folder))
folder.rmdir()
"""
    assert run(script)[0] == "cannot be written\n"


def test_program_works_and_leaves_nothing_where_the_home_cannot_be_used(tmp_path):
    (tmp_path / "home").write_text("")
    (tmp_path / "temporary").mkdir()

    out, err = run(
        "import warnings; warnings.simplefilter('default')" + useKernel, HOME=tmp_path / "home",
        TMPDIR=tmp_path / "temporary", MINIDL_CACHE=None, XDG_CACHE_HOME=None)

    assert out == "" and err.count("RuntimeWarning: kernels will be compiled anew") == 1
    assert not list((tmp_path / "temporary").iterdir())


def test_unset_home_is_found_or_not_used(tmp_path):
    # Without HOME the user's entry in the password file names it; user 12345 has none.
    script = """
import os
from minidl.Backend import KernelCache
if os.getuid() == 0:
    os.setuid(12345)
folder = KernelCache.namedFolder()
print(folder.parts[0], KernelCache.whyUnfit(folder))
"""
    out, _ = run(script, HOME=None, MINIDL_CACHE=None, XDG_CACHE_HOME=None)

    expected = "~ lies in a home that is not known\n" if os.getuid() == 0 else "/ None\n"
    assert out == expected


@pytest.mark.parametrize("environment, expected", [
    ({"MINIDL_CACHE": "/a/b"}, "/a/b"),
    ({"MINIDL_CACHE": "~/b", "HOME": "/a"}, "/a/b"),
    ({"MINIDL_CACHE": None, "XDG_CACHE_HOME": "/x", "HOME": "/a"}, "/x/minidl"),
    ({"MINIDL_CACHE": None, "XDG_CACHE_HOME": None, "HOME": "/a"}, "/a/.cache/minidl"),
    ({"MINIDL_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/a"}, "/a/.cache/minidl"),
])
def test_cache_folder_is_where_the_user_says_or_keeps_such_things(environment, expected):
    out, _ = run("from minidl.Backend.KernelCache import namedFolder; print(namedFolder())",
                 **environment)
    assert out == expected + "\n"


def make(folder):
    (folder / "made").write_text("content")
    return folder / "made"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_files_are_made_where_the_file_system_has_no_locks(number, cache, monkeypatch):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(KernelCache.fcntl, "flock", flock)
    path = KernelCache.place("Answer", "so", ["text"])

    def makeWhileAnotherDoes(folder):
        KernelCache.provide(path, make)
        return make(folder)  # which must still be there

    KernelCache.provide(path, makeWhileAnotherDoes)
    assert KernelCache.read(path) == b"content" and not list(path.parent.glob("*.build-*"))


def test_threads_that_ask_at_once_make_a_file_once(cache):
    path, made = KernelCache.place("Answer", "so", ["text"]), []

    def makeSlowly(folder):
        made.append(folder)
        time.sleep(0.05)
        return make(folder)

    threads = [
        threading.Thread(target=KernelCache.provide, args=(path, makeSlowly)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and KernelCache.read(path) == b"content"
