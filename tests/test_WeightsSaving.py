"""A save is whole or has not happened."""

import os
import stat

import h5py
import numpy as np
import pytest

from minidl import AtomicFile
from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Linear
from tests.Case import stateOf


def make(seed=0):
    np.random.seed(seed)
    return Sequential("net").append(Linear(50, 40, name="lin")).append(BatchNorm(40, name="bn"))


@pytest.mark.parametrize("broken", ["fsync", "create_dataset", "create_group"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_save_that_fails_leaves_the_old_file_alone(broken, error, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error("in the middle")

    path = tmp_path / "net.hdf"
    make().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os if broken == "fsync" else h5py.Group, broken, fail)

    with pytest.raises(error, match="in the middle"):
        make(seed=1).save(path)

    assert path.read_bytes() == before and os.listdir(tmp_path) == ["net.hdf"]


def test_a_first_save_that_fails_leaves_nothing(tmp_path):
    net = make()
    net.setAttr("unfit", object())

    with pytest.raises(TypeError):
        net.save(tmp_path / "net.hdf")

    assert os.listdir(tmp_path) == []


def test_the_new_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    calls, path = [], tmp_path / "net.hdf"
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(AtomicFile, "sync", lambda path: calls.append("sync") or _sync(path, sync))
    monkeypatch.setattr(type(path), "replace", lambda self, target: (
        calls.append("replace"), replace(self, target))[1])

    make().save(path)

    assert calls == ["sync", "replace", "sync"]


def _sync(path, fsync):
    descriptor = os.open(path, os.O_RDONLY)
    fsync(descriptor)
    os.close(descriptor)


def test_a_reader_of_the_old_file_goes_on_reading_it(tmp_path):
    path, net = tmp_path / "net.hdf", make()
    net.save(path)

    with open(path, "rb") as file:
        old = path.read_bytes()
        make(seed=1).save(path)
        assert file.read() == old != path.read_bytes()


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_users_mode(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        make().save(tmp_path / "net.hdf")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "net.hdf").stat().st_mode) == mode


def test_a_replaced_file_keeps_its_mode(tmp_path):
    path = tmp_path / "net.hdf"
    make().save(path)
    path.chmod(0o640)

    make(seed=1).save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_folders_are_made(tmp_path):
    make().save(tmp_path / "a" / "b" / "net.hdf")

    assert (tmp_path / "a" / "b" / "net.hdf").is_file()


def test_no_file_stays_open(tmp_path):
    net, path = make(), tmp_path / "net.hdf"
    net.save(path)
    before = os.listdir("/proc/self/fd")

    for _ in range(5):
        net.save(path)
        net.load(path)
        net.load(net.save())

    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_the_values_of_a_module_are_not_touched(tmp_path):
    net = make()
    before = stateOf(net)

    net.save(tmp_path / "net.hdf")
    net.save()

    assert stateOf(net) == before


def test_equal_nets_give_equal_bytes():
    assert make().save() == make().save()
