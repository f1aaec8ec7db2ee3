"""
Loads damaged files in a process of its own, which may crash, hang or run out of memory.

Each damage comes from its number alone, so that any of them can be repeated:
`python -m tests.Fuzz sealed 17 18`.
"""

import collections
import io
import resource
import sys
import threading
from pathlib import Path

import h5py
import numpy as np

from minidl import Config
from minidl.GuardedFile import WeightsError
from tests.Case import stateOf
from tests.Processes import start
from tests.WeightFiles import bare, make, sealed

patience = 20  # seconds without an answer are a hang
mostMemory = 2 ** 29


def zipped(image):
    """The file with its arrays compressed, as PuzzleLib writes them."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(image)) as old, h5py.File(buffer, "w", libver="earliest") as new:
        for name in old:
            old.copy(name, new)
        for i in old["params"]:
            del new[f"params/{i}"]
            new.create_dataset(f"params/{i}", data=old[f"params/{i}"][()], compression="gzip")
    return buffer.getvalue()


def images(kind):
    image = make().save()
    if kind == "sealed":
        return image, sealed(zipped(image))
    return bare(image), zipped(image)


def flipBits(data, rng, place, size):
    for each in rng.integers(0, len(data), rng.integers(1, 5)):
        data[each] ^= 1 << rng.integers(0, 8)


def setBytes(data, rng, place, size):
    for each in rng.integers(0, len(data), rng.integers(1, 20)):
        data[each] = rng.integers(0, 256)


def cutShort(data, rng, place, size):
    del data[place:]


def cutOut(data, rng, place, size):
    del data[place:place + size]


def insert(data, rng, place, size):
    data[place:place] = rng.bytes(size)


def clear(data, rng, place, size):
    data[place:place + size] = bytes(min(size, len(data) - place))


def swapBlocks(data, rng, place, size):
    one, other = (slice(i, i + 512) for i in (place & ~511, int(rng.integers(len(data))) & ~511))
    data[one], data[other] = data[other], data[one]


damages = flipBits, flipBits, setBytes, cutShort, cutOut, insert, clear, swapBlocks


def damaged(image, number):
    rng, data = np.random.default_rng(number), bytearray(image)
    place, size = int(rng.integers(len(data))), int(rng.choice([1, 2, 8, 64, 512, 1024]))
    damages[rng.integers(len(damages))](data, rng, place, size)
    if data == image:
        data[place] ^= 1
    return bytes(data)


def work(kind, first, last):
    """Prints the number of a damage before it is tried, and what has come of it."""
    Config.showWarnings = False
    files, right = images(kind), stateOf(make())
    net = make(seed=1)
    before = stateOf(net), dict(net.attrs)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + mostMemory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number in range(first, last):
        print(number, end=" ", flush=True)
        data = damaged(files[number % len(files)], number)
        try:
            net.load(data)
        except WeightsError:
            isSame = (stateOf(net), net.attrs) == before
            print("refused" if isSame else "changed", flush=True)
        except Exception as error:
            print(f"raised-{type(error).__name__}", flush=True)
        else:
            fits = stateOf(net) == right and net.attrs == {"epoch": 0}
            print("unspoiled" if fits else "wrong", flush=True)
        if (stateOf(net), net.attrs) != before:
            net = make(seed=1)


def fuzz(kind, count):
    """How often each thing happened, and which numbers did not end in "refused" or "unspoiled"."""
    found, numbers, first = collections.Counter(), [], 0
    while first < count:
        process = start(None, "-m", "tests.Fuzz", kind, str(first), str(count))
        for number, word in answers(process):
            found[word] += 1
            if word not in ("refused", "unspoiled"):
                numbers.append((number, word))
            first = number + 1
        process.wait()
        process.stdout.close()
        process.stderr.close()
    return found, numbers


def answers(process):
    """(number, what came of it) from the process; the last may be "hung" or "crashed"."""
    hung, word = threading.Event(), ["no line"]
    for line in watched(process, hung):
        number, *word = line.split()
        yield int(number), word[0] if word else "hung" if hung.is_set() else "crashed"
    assert process.wait() == 0 or not word, process.stderr.read()


def watched(process, hung):
    """The lines that the process prints; it is killed when the next one does not come."""
    def kill():
        hung.set()
        process.kill()

    while True:
        timer = threading.Timer(patience, kill)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if not line:
            return
        yield line


if __name__ == "__main__":
    work(sys.argv[1], *map(int, sys.argv[2:]))
