import os

import pytest

from minidl import Config
from minidl.Config import ConfigError
from tests.Processes import run


@pytest.mark.parametrize("choice, word", [
    ("auto", "auto"), ("cpu", "cpu"), ("CPU", "cpu"), ("cuda", "cuda"),
    (Config.Backend.cpu, "cpu"), (Config.Backend.cuda, "cuda"),
])
def test_backend_may_be_a_word_or_a_name_of_backends(choice, word, monkeypatch):
    monkeypatch.setattr(Config, "backend", choice)
    assert Config.chosenBackend() == word


@pytest.mark.parametrize("choice", ["gpu", "", None, 5, Config.Backend.hip, Config.Backend.intel])
def test_other_backends_are_refused(choice, monkeypatch):
    monkeypatch.setattr(Config, "backend", choice)
    with pytest.raises(ConfigError, match="Config.backend must be auto, cuda or cpu, got"):
        Config.chosenBackend()


def test_threads_are_those_of_config_before_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert Config.chosenThreads() == 3
    monkeypatch.setattr(Config, "threads", 5)
    assert Config.chosenThreads() == 5


def test_threads_are_else_the_cores_of_this_process(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert Config.chosenThreads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("threads", ["many", "0", "-1", "1.5"])
def test_other_numbers_of_threads_are_refused(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(ConfigError, match=f"must be a positive number, got {threads}"):
        Config.chosenThreads()


def test_error_is_a_value_error_and_a_runtime_error():
    assert issubclass(ConfigError, ValueError) and issubclass(ConfigError, RuntimeError)


def test_environment_names_backend_and_cache_folder():
    out, _ = run("from minidl import Config; print(Config.backend, Config.cacheFolder)",
                 MINIDL_BACKEND="cpu", MINIDL_CACHE="/a")
    assert out == "cpu /a\n"


def test_messages_go_to_standard_output_under_minidls_name():
    out, err = run("""
from minidl import Config
Config.getLogger().info("hello")
Config.getLogger().debug("of no interest")
""")
    assert (out, err) == ("[minidl] hello\n", "")
