import pytest

from minidl import Config
from minidl.Backend import KernelCache
from minidl.Backend.Cuda import CudaCompiler, Toolkit


@pytest.fixture
def makeNvcc(tmp_path):
    """
    A function that makes a program which makes of a text the text itself, and lists its calls. As
    the real one it names its temporary file, and refuses the GPUs it does not know.
    """
    log = tmp_path / "log"

    def make(name, delay=0, known="75 80 86 90"):
        path = tmp_path / name
        path.write_text(f"""#!/bin/sh
case "$*" in
*--dryrun*) exit ;;
*--list-gpu-arch*) for each in {known}; do echo "compute_$each"; done; exit ;;
esac
echo "$@" >> {log}
sleep {delay}
for word; do case "$word" in
-arch=*) case " {known} " in
    *" ${{word#-arch=*_}} "*) ;;
    *) echo "nvcc fatal : Unsupported gpu architecture '${{word#-arch=}}'" >&2; exit 1 ;;
    esac ;;
esac; done
case "$*" in
*--preprocess*)
    cat > {path}.in
    echo "# 1 \\"/tmp/tmpxft_$$_stdin\\""
    grep -v '^#' {path}.in
    cat $(sed -n 's/^#include "\\(.*\\)"$/\\1/p' {path}.in)
    echo "$*" ;;
*refused*) echo "kernel.cu(1): error: refused" >&2; exit 2 ;;
*) while [ "$1" != -o ]; do shift; done; cat "$3" > "$2" ;;
esac
""")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def calls(makeNvcc, tmp_path, monkeypatch):
    """A function that lists the calls of an nvcc of this test's own, with a cache of its own."""
    monkeypatch.setattr(Config, "cacheFolder", str(tmp_path / "cache"))
    monkeypatch.setenv("MINIDL_NVCC", str(makeNvcc("nvcc")))
    for name in CudaCompiler.variables:
        monkeypatch.delenv(name, raising=False)
    log = tmp_path / "log"
    KernelCache.cacheFolder.cache_clear()
    Toolkit.forget()
    yield lambda: log.read_text().splitlines() if log.exists() else []
    monkeypatch.undo()
    KernelCache.cacheFolder.cache_clear()
    Toolkit.forget()
