import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest

from minidl.Backend import KernelCache
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cpu.HostCompiler import CompilerError, load
from tests.Processes import compilerScript, run, start, useKernel

text = 'extern "C" int answer() { return 42; }'
otherText = 'extern "C" int answer() { return 43; }'

@pytest.fixture
def builds(monkeypatch):
    """The stems that were compiled."""
    stems, build = [], HostCompiler.build

    def record(stem, *arguments):
        stems.append(stem)
        return build(stem, *arguments)

    monkeypatch.setattr(HostCompiler, "build", record)
    return stems


def entries(cache, pattern="*.so"):
    return sorted(cache.glob(pattern))


def test_text_is_compiled_once_and_then_comes_from_the_cache(cache, builds):
    assert load("Answer", text).answer() == 42
    assert load("Answer", text).answer() == 42

    assert builds == ["Answer"]
    assert HostCompiler.isCached("Answer", text) and not HostCompiler.isCached("Answer", otherText)
    assert len(entries(cache)) == 1 and not entries(cache, "*.build-*")


def test_cache_folder_is_the_users_own(cache):
    load("Answer", text)
    assert cache.stat().st_mode & 0o777 == 0o700


def truncate(path, other):
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path, other):
    path.write_bytes(b"")


def flipBit(path, other):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(content)


def append(path, other):
    path.write_bytes(path.read_bytes() + b"more")


def swap(path, other):
    shutil.copy(other, path)


def replaceByText(path, other):
    path.write_text("no library at all" * 100)


def linkToNothing(path, other):
    path.unlink()
    path.symlink_to("/nowhere")


@pytest.mark.parametrize(
    "damage", [truncate, empty, flipBit, append, swap, replaceByText, linkToNothing])
def test_damaged_entry_is_built_anew(damage, cache, builds):
    load("Answer", otherText)
    other, = entries(cache)
    # The entry is made in another process: this one would go on with the library it has loaded.
    run(f"from minidl.Backend.Cpu import HostCompiler; HostCompiler.load('Answer', {text!r})",
        MINIDL_CACHE=cache)
    path, = set(entries(cache)) - {other}

    damage(path, other)
    before = len(builds)

    assert not KernelCache.isSound(path)
    assert load("Answer", text).answer() == 42
    assert len(builds) == before + 1 and KernelCache.isSound(path)


def test_key_changes_with_text_flags_compiler_and_processor(monkeypatch):
    command = [shutil.which("sh"), "-O3"]
    key = HostCompiler.making(text, command)

    assert HostCompiler.making(text, command) == key
    assert HostCompiler.making(otherText, command) != key
    assert HostCompiler.making(text, [*command, "-g"]) != key
    assert HostCompiler.making(text, [command[0], "-O", "3"]) != key
    assert HostCompiler.making(text, [shutil.which("cat"), "-O3"]) != key
    with monkeypatch.context() as patch:
        patch.setattr(HostCompiler, "compilerIdentity", lambda program: "a newer version")
        assert HostCompiler.making(text, command) != key
    with monkeypatch.context() as patch:
        patch.setattr(HostCompiler, "processor", lambda: "another model")
        assert HostCompiler.making(text, command) != key


def test_key_changes_with_nothing_else(tmp_path):
    script = (
        "import os, sys; sys.path.insert(0, os.getcwd()); os.chdir({!r})\n"
        "from minidl.Backend.Cpu import HostCompiler\n"
        "print(HostCompiler.making('text', [*HostCompiler.compiler(), '-O3']))")

    first = run(script.format("/"), PYTHONHASHSEED=1)
    second = run(script.format(str(tmp_path)), PYTHONHASHSEED=2, HOME=tmp_path, LC_ALL="C",
                 OMP_NUM_THREADS=7, MINIDL_CACHE=tmp_path)

    assert first == second


def test_compiler_is_another_one_when_its_program_changes(fresh, tmp_path):
    program = compilerScript(tmp_path / "c++", "")
    before = HostCompiler.compilerIdentity(str(program))

    compilerScript(program, ": newer")
    HostCompiler.compilerIdentity.cache_clear()

    assert HostCompiler.compilerIdentity(str(program)) != before


def test_processor_has_no_changing_fields():
    HostCompiler.processor.cache_clear()
    assert "MHz" not in HostCompiler.processor() and HostCompiler.processor()


def test_refused_text_shows_command_and_words_of_the_compiler(cache):
    with pytest.raises(CompilerError) as caught:
        load("Wrong", "int f() { return unknownName; }")

    message = str(caught.value)
    assert "cannot compile Wrong" in message
    assert " ".join(HostCompiler.compiler()) in message and "-O3" in message
    assert "unknownName" in message and "error" in message
    assert not entries(cache) and not entries(cache, "*.build-*")


def test_text_and_words_may_be_of_any_language(cache):
    with pytest.raises(CompilerError, match="größer"):
        load("Wrong", '#error "größer als π"')


def test_compiler_may_have_options(cache, monkeypatch):
    monkeypatch.setenv("CXX", " ".join([*HostCompiler.compiler(), "-DANSWER=44"]))
    HostCompiler.compiler.cache_clear()

    assert load("Answer", 'extern "C" int answer() { return ANSWER; }').answer() == 44


def test_without_a_compiler_the_error_names_the_remedy(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)

    with pytest.raises(CompilerError, match="no C\\+\\+ compiler.*pip install ziglang"):
        HostCompiler.compiler()


def test_without_other_compilers_the_one_in_ziglang_is_taken(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", sys)

    assert HostCompiler.compiler() == [sys.executable, "-m", "ziglang", "cc"]


def test_first_of_the_usual_compilers_is_taken(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("clang++", "g++", "c++"):
        shutil.copy("/bin/sh", tmp_path / name)
        HostCompiler.compiler.cache_clear()
        assert HostCompiler.compiler() == [str(tmp_path / name)]


def test_named_compiler_that_is_none_is_an_error(fresh, monkeypatch):
    monkeypatch.setenv("CXX", "noSuchCompiler -O3")
    with pytest.raises(CompilerError, match="CXX names noSuchCompiler"):
        HostCompiler.compiler()


def test_library_that_the_system_does_not_load_is_an_error(cache, monkeypatch):
    def build(stem, text, command, folder):
        (folder / "library.so").write_bytes(b"no library")
        return folder / "library.so"

    monkeypatch.setattr(HostCompiler, "build", build)

    with pytest.raises(CompilerError, match="does not load the compiled Answer.*MINIDL_CACHE"):
        load("Answer", text)


# Many processes and threads at once.

def test_many_processes_on_a_cold_cache_compile_each_library_once(tmp_path):
    log = tmp_path / "log"
    compiler = compilerScript(tmp_path / "c++", f'echo "$@" >> {log}')

    processes = [
        start(useKernel, CXX=compiler, MINIDL_CACHE=tmp_path / "cache") for _ in range(16)]
    results = [(*process.communicate(), process.returncode) for process in processes]

    assert results == [("", "", 0)] * 16
    outputs = [Path(line.split()[-1]) for line in log.read_text().splitlines()]
    made = [output.parent.name.split(".")[0] for output in outputs]
    assert len(made) == len(set(made))
    assert {"Runtime", "MatMul", "Activation"} <= {name.split("-")[0] for name in made}
    assert not entries(tmp_path / "cache", "*.build-*")


def test_threads_that_want_one_library_at_once_compile_it_once(cache, builds):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(load("Answer", text).answer()))
        for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [42] * 8 and builds == ["Answer"]


@pytest.fixture
def slowOnce(tmp_path):
    """A compiler whose first run tells its process id through a pipe, and then waits."""
    os.mkfifo(tmp_path / "pipe")
    return compilerScript(tmp_path / "c++", f"""
if mkdir {tmp_path}/ran 2>/dev/null; then
    echo $$ > {tmp_path}/pipe
    while ! [ -e {tmp_path}/goOn ]; do sleep 0.05; done
fi""")


def test_killed_process_leaves_no_lock_and_no_half_library(slowOnce, tmp_path):
    cache = tmp_path / "cache"
    script = f"from minidl.Backend.Cpu import HostCompiler; HostCompiler.load('Answer', {text!r})"

    killed = start(script, CXX=slowOnce, MINIDL_CACHE=cache)
    compilerId = int((tmp_path / "pipe").read_text())
    killed.kill()
    killed.communicate()
    left = entries(cache, "*.build-*")
    run(script, CXX=slowOnce, MINIDL_CACHE=cache)
    os.kill(compilerId, signal.SIGKILL)

    assert len(left) == 1 and not entries(cache, "*.build-*")
    assert len(entries(cache)) == 1 and KernelCache.isSound(entries(cache)[0])


def test_child_forked_while_a_thread_compiles_gets_its_library(slowOnce, tmp_path):
    # The child shares the lock that the thread holds, and must not wait for itself.
    out, _ = run(f"""
import os, pathlib, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from minidl.Backend.Cpu import HostCompiler
thread = threading.Thread(target=HostCompiler.load, args=("Answer", {text!r}))
thread.start()
pathlib.Path({str(tmp_path / "pipe")!r}).read_text()
child = os.fork()
if child == 0:
    os._exit(HostCompiler.load("Answer", {text!r}).answer())
pathlib.Path({str(tmp_path / "goOn")!r}).touch()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""", CXX=slowOnce, MINIDL_CACHE=tmp_path / "cache")

    assert out == "42\n"


def test_fork_waits_until_a_compiler_has_started():
    # A child of before would keep the pipe open by which the compiler's start is told.
    out, _ = run("""
import os, subprocess, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from minidl.Backend.Cpu import HostCompiler
isStarting, order = threading.Event(), []
class SlowPopen(subprocess.Popen):
    def __init__(self, *args, **options):
        isStarting.set()
        time.sleep(0.3)
        super().__init__(*args, **options)
        order.append("started")
subprocess.Popen = SlowPopen
thread = threading.Thread(target=HostCompiler.call, args=(["true"],))
thread.start()
isStarting.wait()
child = os.fork()
if child == 0:
    os._exit(0)
order.append("forked")
thread.join()
os.waitpid(child, 0)
print(*order)
""")

    assert out == "started forked\n"
