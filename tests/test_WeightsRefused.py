"""Files that do not fit are refused in words, and leave every value as it was."""

import os

import h5py
import numpy as np
import pytest

from minidl.Containers import Sequential
from minidl.Modules import Linear, ModuleError
from tests.Case import stateOf
from tests.WeightFiles import changed, make, put


def remove(path):
    return lambda file: file.__delitem__(path)


def link(path, target):
    def change(file):
        del file[path]
        file[path] = target
    return change


def external(file):
    del file["params/0"]
    file.create_dataset("params/0", (5, 4), np.float32, external=[("/etc/passwd", 0, 80)])


def virtual(file):
    del file["params/0"]
    layout = h5py.VirtualLayout((5, 4), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (5, 4))
    file.create_virtual_dataset("params/0", layout)


def group(path):
    def change(file):
        del file[path]
        file.create_group(path)
    return change


def unwritten(file):
    del file["params/0"]
    file.create_dataset("params/0", (5, 4), np.float32, chunks=(5, 4), fillvalue=7)


def bomb(file):
    file.create_dataset("attrs.net/net.huge", (2 ** 40,), np.float32, chunks=(1024,))


zeros = np.zeros((5, 4), np.float32)
cases = {
    "missing link": (remove("links/net.lin.W"), "links/net.lin.W is missing"),
    "missing param": (remove("params/0"), r"params/0 \(net.lin.W\) is missing"),
    "missing statistics": (remove("attrs/net.bn.mean"), "attrs/net.bn.mean is missing"),
    "missing group": (remove("params"), r"params/0 \(net.lin.W\) is missing"),
    "more links": (put("links/net.new.W", np.int64(0)), "links/net.new.W is not in this module"),
    "more params": (put("params/9", zeros), "params/9 is not in this module"),
    "more statistics": (put("attrs/net.new.mean", 1.0), "attrs/net.new.mean is not in this module"),
    "wrong shape": (put("params/0", zeros.T),
                    r"params/0 \(net.lin.W\) must have shape \(5, 4\), the file has \(4, 5\)"),
    "one to be stretched": (put("params/0", np.float32(1)), r"\(5, 4\), the file has \(\)"),
    "row to be stretched": (put("params/0", zeros[:1]), r"\(5, 4\), the file has \(1, 4\)"),
    "wrong shape of statistics": (put("attrs/net.bn.mean", np.zeros(4, np.float32)),
                                  r"\(1, 4, 1, 1\), the file has \(4,\)"),
    "double for single": (put("params/0", zeros.astype(np.float64)),
                          "must have dtype float32, the file has float64"),
    "integers for single": (put("params/0", zeros.astype(np.int64)),
                            "must have dtype float32, the file has int64"),
    "text for single": (put("params/0", np.full((5, 4), "x", "S1")), "must have dtype float32"),
    "pairs for single": (put("params/0", np.zeros((5, 4), [("a", "f4")])), "have dtype float32"),
    "link past the end": (put("links/net.lin.W", np.int64(99)), "params/99 .* is missing"),
    "link before the start": (put("links/net.lin.W", np.int64(-1)), "params/-1 .* is missing"),
    "link of real type": (put("links/net.lin.W", 0.0), "must have dtype int64"),
    "list of links": (put("links/net.lin.W", np.array([0])), r"must have shape \(\)"),
    "soft link": (link("params/0", h5py.SoftLink("/params/1")), "a hard link, not a SoftLink"),
    "external link": (link("params/0", h5py.ExternalLink("/etc/passwd", "/x")),
                      "is missing|must be a hard link, not a ExternalLink"),
    "soft group": (link("params", h5py.SoftLink("/links")),
                   "params must be a hard link, not a SoftLink"),
    "external storage": (external, "must hold its own data"),
    "virtual dataset": (virtual, "must hold its own data"),
    "checksum filter": (put("params/0", zeros, fletcher32=True), "by gzip and shuffle only"),
    "no data": (unwritten, "holds no data"),
    "group for dataset": (group("params/0"), "must be a dataset"),
    "dataset for group": (put("params", 1), "params is no group"),
    "negative variance": (put("attrs/net.bn.var", np.full((1, 4, 1, 1), -1, np.float32)),
                          "net.bn.var must be finite and not negative"),
    "NaN variance": (put("attrs/net.bn.var", np.full((1, 4, 1, 1), np.nan, np.float32)),
                     "net.bn.var must be finite and not negative"),
    "infinite variance": (put("attrs/net.bn.var", np.full((1, 4, 1, 1), np.inf, np.float32)),
                          "net.bn.var must be finite and not negative"),
    "negative count": (put("attrs/net.bn.numOfProps", np.int64(-1)), "must not be negative"),
    "huge attribute": (bomb, "attrs.net/net.huge must not hold more bytes than the file"),
    "pairs as attribute": (put("attrs.net/net.pair", np.zeros(2, [("a", "f4")])),
                           "must be numbers or text"),
    "group as attribute": (group("attrs.net/net.epoch"), "attrs.net/net.epoch must be a dataset"),
    "soft link as attribute": (link("attrs.net/net.epoch", h5py.SoftLink("/params/0")),
                               "must be a hard link"),
}


def refused(source, message):
    net = make(seed=1)
    before, descriptors = stateOf(net), len(os.listdir("/proc/self/fd"))

    with pytest.raises(ModuleError, match=message) as caught:
        net.load(source)

    assert str(caught.value).startswith("Sequential 'net': cannot load ")
    assert len(str(caught.value)) < 1000
    assert stateOf(net) == before and net.getAttr("epoch") == 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.mark.parametrize("change, message", cases.values(), ids=cases)
@pytest.mark.parametrize("where", ["bytes", "path", "file"])
def test_refuses(where, change, message, tmp_path):
    image = changed(change)
    (tmp_path / "net.hdf").write_bytes(image)

    if where == "file":
        with h5py.File(tmp_path / "net.hdf") as file:
            refused(file, message)
    else:
        refused(image if where == "bytes" else tmp_path / "net.hdf", message)


def test_tells_all_that_does_not_fit_at_once():
    def change(file):
        put("params/0", zeros.T)(file)
        put("attrs/net.bn.mean", np.zeros((1, 4, 1, 1)))(file)
        put("links/net.new.W", np.int64(0))(file)

    refused(changed(change), "links/net.new.W .*; params/0 .*; attrs/net.bn.mean must have dtype")


def test_tells_a_dozen_of_very_many():
    net = Sequential("net").extend(Linear(2, 2, name=f"lin{i}") for i in range(30))

    listed = "lin0.W is missing; .*lin15.b is missing and 28 more$"
    with pytest.raises(ModuleError, match=listed) as caught:
        net.load(Sequential("net").save())
    assert len(str(caught.value)) <= 1000


@pytest.mark.parametrize("content, message", [
    (b"", "it is no h5 file"),
    (b"just some words\n" * 100, "it is no h5 file"),
    (b"\x89HDF\r\n\x1a\n" + bytes(2000), "it is damaged"),
])
@pytest.mark.parametrize("where", ["bytes", "path"])
def test_refuses_what_is_no_h5_file(where, content, message, tmp_path):
    (tmp_path / "net.hdf").write_bytes(content)

    refused(content if where == "bytes" else tmp_path / "net.hdf", message)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_refuses_a_file_that_was_cut_short(share):
    image = make().save()

    refused(image[:int(share * len(image))], "it is damaged: it is not what was sealed")


def test_refuses_paths_where_there_is_no_file(tmp_path):
    refused(tmp_path / "nothing.hdf", "nothing.hdf: there is no such file")
    refused(tmp_path, "there is no such file")
    refused(str(tmp_path / "nothing.hdf"), "there is no such file")


def test_a_right_file_is_taken_after_refused_ones():
    net = make(seed=1)
    for change, _ in cases.values():
        with pytest.raises(ModuleError):
            net.load(changed(change))

    net.load(make().save())

    assert stateOf(net) == stateOf(make())
