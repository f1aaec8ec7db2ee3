"""Progress bars by tqdm, where somebody watches."""

import functools
import sys

from minidl import Config


def progress(iterable, label, wanted=True):
    """`iterable`, with a bar on standard error while it is gone through, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        return iterable
    tqdm = importTqdm()
    return iterable if tqdm is None else tqdm(iterable, desc=label, leave=False)


@functools.cache
def importTqdm():
    try:
        from tqdm import tqdm
    except ImportError:
        Config.getLogger().info("for progress bars: pip install tqdm")
        return None
    return tqdm
