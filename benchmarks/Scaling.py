"""
How the time of a step grows with batch, maps and size of images, beside PyTorch where it is
installed. A line t = c n^k is fitted to the logarithms, k says how the time grows:

    python -m benchmarks.Scaling                                             # a table
    python -m benchmarks.Scaling --save                                      # and keeps it as JSON
    python -m benchmarks.Scaling --plot benchmarks/results/scaling.png       # and draws it
"""

import argparse
import json
import sys
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import Cnn, Conv, Machine
from benchmarks.Timer import alternate
from minidl.Models.Nets import loadBatchNormCnn

goal = Path(__file__).parent / "results" / "scaling.json"


class Growth(NamedTuple):
    """Of one work with one variable, whose values are `numbers`; times are milliseconds."""

    work: str
    variable: str
    numbers: list
    times: dict  # by name of the system

    def fit(self, system):
        """(k, c) of c n^k, by least squares of logarithms"""
        k, logC = np.polyfit(np.log(self.numbers), np.log(self.times[system]), 1)
        return k, np.exp(logC)


def convSteps(batch, maps, size):
    """A step forward and back of minidl, then PyTorch's; 3 x 3 from maps to as many."""
    data = np.random.default_rng(0).standard_normal((batch, maps, size, size)).astype(np.float32)
    words = data, maps, 3, 1, 1
    return Conv.ours(*words), *Conv.theirs(*words)


def netSteps(batch):
    """A training step of minidl, then PyTorch's."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((batch, 3, 32, 32)).astype(np.float32)
    words = loadBatchNormCnn, data, rng.integers(0, 10, batch).astype(np.int32)
    return Cnn.ours(*words)[0], *(step for step, _ in Cnn.theirs(*words))


works = [  # (work, variable, its values, what makes the steps of a value)
    ("convolution 3x3, 32 to 32 maps, 32x32 pixels", "images in a batch",
     [1, 2, 4, 8, 16, 32, 64], lambda n: convSteps(n, 32, 32)),
    ("convolution 3x3, 16 images of 32x32 pixels", "maps before and after",
     [4, 8, 16, 32, 64, 128], lambda n: convSteps(16, n, 32)),
    ("convolution 3x3, 32 to 32 maps, 8 images", "height and width of images (pixels)",
     [8, 16, 32, 64], lambda n: convSteps(8, 32, n)),
    ("training step, CNN with batch normalization, 32x32 pixels", "images in a batch",
     [1, 2, 4, 8, 16, 32, 64], netSteps)]


def measure(work, variable, numbers, steps):
    """
    The shortest times count, and of PyTorch's orders in memory the faster one. All numbers take
    turns: what else the machine does meets them alike.
    """
    functions = [steps(number) for number in numbers]
    found = iter(alternate(*chain(*functions), rounds=9, pick=min))
    times = [[next(found) / 1000 for _ in each] for each in functions]
    systems = {"minidl": [mine for mine, *_ in times]}
    if len(times[0]) > 1:
        systems["PyTorch"] = [min(peers) for _, *peers in times]
    return Growth(work, variable, numbers, systems)


def table(growth):
    """Lines: a system each."""
    yield f"{growth.work}: ms by {growth.variable}"
    yield f"{'':10}" + "".join(f"{number:9}" for number in growth.numbers) + f"{'k':>7}"
    for system, times in growth.times.items():
        cells = "".join(f"{time:9.3g}" for time in times)
        yield f"{system:10}{cells}{growth.fit(system)[0]:7.2f}"


def save(growths):
    goal.parent.mkdir(exist_ok=True)
    goal.write_text(json.dumps({
        "command": f"python -m benchmarks.Scaling {' '.join(sys.argv[1:])}",
        **Machine.describe(),
        "works": [{**growth._asdict(), "exponents": {
            system: growth.fit(system)[0] for system in growth.times}} for growth in growths],
    }, indent=1) + "\n")


def plot(growths, path):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from None

    figure = Figure(figsize=(11, 8), layout="constrained")
    for axes, growth in zip(figure.subplots(2, 2).flat, growths, strict=True):
        draw(axes, growth)
    figure.suptitle("time of a step, forward and backward; dashed: the fitted line", fontsize=13)
    figure.savefig(path, dpi=100)
    print(f"drew {path}")


def draw(axes, growth):
    numbers = np.array(growth.numbers)
    for (system, times), colour, marker in zip(
            growth.times.items(), ("tab:blue", "tab:orange"), "os", strict=False):
        k, c = growth.fit(system)
        axes.plot(numbers, times, marker, color=colour, label=f"{system}: $n^{{{k:.2f}}}$")
        axes.plot(numbers, c * numbers ** k, "--", color=colour, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(numbers, map(str, numbers))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.tick_params(labelsize=11)
    axes.set_title(growth.work, fontsize=11)
    axes.set_xlabel(f"n: {growth.variable}", fontsize=12)
    axes.set_ylabel("time (ms)", fontsize=12)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=12)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.Scaling", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help="keep the times in benchmarks/results/")
    parser.add_argument("--plot", metavar="FILE", help="draw them to a picture")
    args = parser.parse_args()

    growths = []
    for work in works:
        growths.append(measure(*work))
        print(*table(growths[-1]), sep="\n", flush=True)
    if args.save:
        save(growths)
    if args.plot:
        plot(growths, args.plot)


if __name__ == "__main__":
    main()
