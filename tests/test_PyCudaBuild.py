import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from minidl import CudaPackages, PyCudaBuild
from minidl.Backend import KernelCache

# A source that is laid out as PyCUDA's, with files of its own.
setupFile = """
import siteconf
from setuptools import Extension, setup
assert siteconf.CUDA_ENABLE_CURAND is False
setup(
    name="pycuda", version="2026.1", packages=["pycuda"], ext_package="pycuda",
    ext_modules=[
        Extension("_driver", ["one.cpp", "two.cpp"], include_dirs=siteconf.CUDA_INC_DIR,
                  extra_compile_args=siteconf.CXXFLAGS, extra_link_args=siteconf.LDFLAGS),
        Extension("_struct", ["three.cpp"])])
"""
source = {
    "setup.py": setupFile, "pycuda/__init__.py": "",
    "one.cpp": '#include <cuda.h>\nextern "C" int cuInit(int); int one() { return cuInit(0); }',
    "two.cpp": "int two() { return 2; }", "three.cpp": "int three() { return 3; }"}


@pytest.fixture
def include(tmp_path, monkeypatch):
    """The folder of cuda.h, on a machine whose cache is empty."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(KernelCache, "cacheFolder", lambda: cache)
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "cuda.h").write_text("#define CUDA_VERSION 13000\n")
    return folder


def archive(path, files, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz") as file:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(text), kind
            file.addfile(member, io.BytesIO(text.encode()))
    return path


def sourceByPip(monkeypatch, changed=None):
    """pip that puts the source where PyCUDA's would be; returns the list of its calls."""
    calls, files = [], {**source, **(changed or {})}

    def pip(*arguments, **options):
        calls.append(arguments)
        if arguments[0] == "download":
            folder = Path(arguments[arguments.index("--dest") + 1])
            archive(folder / "pycuda-2026.1.tar.gz", {
                f"pycuda-2026.1/{name}": text for name, text in files.items()})

    monkeypatch.setattr(PyCudaBuild, "pip", pip)
    return calls


needsSetuptools = pytest.mark.skipif(
    CudaPackages.installed("setuptools") is None, reason="setuptools builds the wheel")


@needsSetuptools
def test_wheel_is_built_once_and_taken_from_the_cache_then(include, tmp_path, monkeypatch):
    calls, said = sourceByPip(monkeypatch), []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()

    wheel = PyCudaBuild.provide(include, tmp_path / "first", ["--no-index"], said.append)
    assert [call[0] for call in calls] == ["install", "download"]
    assert all("--no-index" in call for call in calls)
    assert said == ["getting its source", "compiled 1 of 2 files", "compiled 2 of 2 files",
                    "compiled 3 of 3 files"]
    with zipfile.ZipFile(wheel) as file:
        driver = next(name for name in file.namelist() if name.startswith("pycuda/_driver"))
        assert b"libcuda.so.1" in file.read(driver), "the loader would not look for the driver"
        assert file.testzip() is None

    again = PyCudaBuild.provide(include, tmp_path / "second", tell=said.append)
    assert len(calls) == 2 and len(said) == 4
    assert again.name == wheel.name and again.read_bytes() == wheel.read_bytes()
    assert wheel.name.startswith("pycuda-2026.1-cp")

    (include / "cuda.h").write_text("#define CUDA_VERSION 12080\n")
    PyCudaBuild.Toolkit.forget()
    assert not KernelCache.isSound(PyCudaBuild.place(include)), "other headers, another wheel"


@needsSetuptools
def test_failing_build_says_why_and_leaves_nothing(include, tmp_path, monkeypatch):
    sourceByPip(monkeypatch, {"two.cpp": "#error this is wrong"})
    with pytest.raises(PyCudaBuild.BuildError, match="(?s)cannot be built by .*this is wrong"):
        PyCudaBuild.provide(include, tmp_path, tell=lambda text: None)
    assert not list((tmp_path / "cache").glob("*.whl"))
    assert not list((tmp_path / "cache").glob("*.build-*"))


@pytest.mark.parametrize("name, kind", [
    ("../evil", tarfile.REGTYPE), ("/tmp/evil", tarfile.REGTYPE),
    ("pycuda-1/link", tarfile.SYMTYPE), ("pycuda-1/pipe", tarfile.FIFOTYPE)])
def test_archive_that_reaches_out_is_refused(name, kind, tmp_path):
    path = archive(tmp_path / "pycuda-1.tar.gz", {name: ""}, kind)
    with pytest.raises(PyCudaBuild.BuildError, match="is no source of PyCUDA"):
        PyCudaBuild.unpack(path, tmp_path / "folder")
    assert not (tmp_path / "folder").exists() and not (tmp_path / "evil").exists()


def test_archive_is_unpacked_where_a_link_leads(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    path = archive(tmp_path / "pycuda-1.tar.gz", {"pycuda-1/setup.py": "text"})
    assert (PyCudaBuild.unpack(path, tmp_path / "link") / "setup.py").read_text() == "text"


def test_pip_that_fails_is_quoted():
    with pytest.raises(PyCudaBuild.BuildError) as raised:
        PyCudaBuild.pip("install", "--no-index", "no-such-package")
    assert "pip --disable-pip-version-check install --no-index no-such-package" in str(raised.value)
    assert "No matching distribution found" in str(raised.value)
    assert "--find-links" in str(raised.value)
