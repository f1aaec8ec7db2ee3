"""The one timer: subjects run alternately in one process, and only ratios are quoted."""

import statistics
import time
from typing import NamedTuple

from minidl.Backend import Device


class Row(NamedTuple):
    """A line of the table: microseconds; a ratio peer / minidl above 1: minidl is faster."""

    work: str
    minidl: float
    peer: float | None = None
    goal: float | None = None
    peerName: str = "PyTorch"

    @property
    def ratio(self):
        return None if self.peer is None else self.peer / self.minidl


def alternate(*functions, rounds=25, seconds=0.03, pick=statistics.median):
    """
    The time of a call of each function, in microseconds: what `pick` takes of all rounds.

    In each round every function runs for about `seconds`, in turn. A short sleep before lets the
    other's threads stop waiting for work, which some do by keeping a core busy.
    """
    repeats = [max(1, round(seconds / once(function))) for function in functions]
    times = [[] for _ in functions]
    for _ in range(rounds):
        for function, repeat, found in zip(functions, repeats, times, strict=True):
            time.sleep(0.02)
            function()
            wait()
            start = time.perf_counter()
            for _ in range(repeat):
                function()
            wait()
            found.append((time.perf_counter() - start) / repeat)
    return [1e6 * pick(found) for found in times]


def once(function):
    """Seconds of one call, after some to warm up."""
    for _ in range(3):
        function()
    wait()
    start = time.perf_counter()
    function()
    wait()
    return max(time.perf_counter() - start, 1e-6)


def wait():
    """On a GPU until all work of its context is done, the peer's too."""
    Device.current().synchronize()
