import pytest

from minidl import Config
from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler

cached = [
    KernelCache.cacheFolder, HostCompiler.compiler, HostCompiler.compilerIdentity,
    HostCompiler.isGcc]


@pytest.fixture
def fresh(monkeypatch):
    """What a process finds out once is found out anew, in the test and after it."""
    zig = KernelCache.cacheFolder() / "zig"
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(zig))
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def cache(fresh, tmp_path, monkeypatch):
    """A cache folder of this test's own."""
    monkeypatch.setattr(Config, "cacheFolder", str(tmp_path / "cache"))
    return tmp_path / "cache"
