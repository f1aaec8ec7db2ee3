import io
import sys

import pytest

from minidl import Config, Progress
from minidl.Handlers import Calculator
from minidl.Modules import Identity
from tests.Handlers.Recorder import numbered


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, **arguments):
    """What a Calculator writes to standard error when that is `stream`."""
    monkeypatch.setattr(sys, "stderr", stream)
    Calculator(Identity(), batchsize=2, **arguments).calcFromHost(numbered(10))
    return stream.getvalue()


def test_a_terminal_shows_a_bar_with_the_handlers_name(monkeypatch):
    pytest.importorskip("tqdm", reason="progress bars need tqdm")

    assert "Calculator" in shown(monkeypatch, Terminal())


def test_no_terminal_shows_nothing(monkeypatch):
    assert shown(monkeypatch, io.StringIO()) == ""


def test_a_terminal_shows_nothing_to_those_who_want_none(monkeypatch):
    assert shown(monkeypatch, Terminal(), progress=False) == ""


def test_without_tqdm_there_is_one_line_that_tells_how_to_get_it(monkeypatch):
    lines = []
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(Config.getLogger(), "info", lines.append)
    Progress.importTqdm.cache_clear()

    try:
        assert shown(monkeypatch, Terminal()) == shown(monkeypatch, Terminal()) == ""
    finally:
        Progress.importTqdm.cache_clear()

    assert lines == ["for progress bars: pip install tqdm"]
