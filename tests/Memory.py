"""Memory of a process, for scripts that tests run in one of their own."""

from pathlib import Path


def peak():
    """
    The most bytes that this process has held. Not resource's ru_maxrss: a process inherits that of
    the one that has started it.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])
