"""Archives made to harm."""

import gzip
import tarfile

import pytest

from minidl.Datasets import Archive, DatasetError
from tests.Datasets.Files import writeTar


def read(path):
    """{member's name: bytes} of the archive."""
    with Archive.archive("Loader", path) as members:
        return {name: opened().take(opened().size) for name, opened in members.items()}


def refusal(path):
    before = set(path.parent.rglob("*"))
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert set(path.parent.rglob("*")) == before
    return str(caught.value).removeprefix(f"Loader: {path} ")


@pytest.fixture(params=["set.tar", "set.tar.gz"])
def path(tmp_path, request):
    return tmp_path / request.param


def member(name, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_plain_files_are_read_in_place(path):
    files = {"a/b": b"first", "c": b"", "d" * 200: b"long"}
    writeTar(path, files, [member("a", tarfile.DIRTYPE)])

    assert read(path) == files
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/a", ".."])
def test_names_that_lead_out_are_refused(path, name):
    writeTar(path, {"a": b"1"}, [member(name)])

    assert refusal(path) == f"must have members inside of it only, has {name}"


@pytest.mark.parametrize("kind", [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_links_and_devices_are_refused(path, kind):
    writeTar(path, {"a": b"1"}, [member("b", kind, "a")])

    assert refusal(path) == "must have plain files only, b is none"


def test_a_name_that_comes_twice_is_refused(path):
    writeTar(path, {"a": b"1"}, [member("a")])

    assert refusal(path) == "must have each member once, has a twice"


def test_an_archive_that_says_it_is_huge_is_refused_before_it_is_unpacked(path):
    claims = member("a")
    claims.size = 2 ** 40
    header = claims.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(header) if path.suffix == ".gz" else header)

    assert refusal(path) == "must have at most 1000 members and 1073741824 bytes"


def test_many_members_are_refused(path, monkeypatch):
    monkeypatch.setattr(Archive, "mostMembers", 3)
    writeTar(path, dict.fromkeys("abcd", b""))

    assert refusal(path).startswith("must have at most 3 members")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_says_it_is_huge_is_refused_before_it_is_read(path, kind):
    claims = member("a", kind)
    claims.size = 2 ** 29
    header = claims.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(header) if path.suffix == ".gz" else header)

    assert refusal(path) == "cannot be read as a tar archive: a header of 536870912 bytes"


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_refused(path, keep, rng):
    writeTar(path, {"a": rng.bytes(20000), "b": rng.bytes(20000)})
    data = path.read_bytes()
    path.write_bytes(data[:int(keep * 41000)])

    assert "cannot be read" in refusal(path) or "ends after" in refusal(path)


def test_what_is_no_archive_is_refused(path):
    path.write_bytes(b"PK\3\4" + bytes(2000))

    assert refusal(path).startswith("cannot be read as a tar archive: ")
