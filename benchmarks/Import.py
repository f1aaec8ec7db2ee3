"""What it takes to begin: importing the package with all of its modules, in a fresh process."""

import importlib.util
import subprocess
import sys

from benchmarks.Timer import Row, alternate

everything = ("import minidl, minidl.Backend, minidl.Modules, minidl.Containers, minidl.Cost, "
              "minidl.Optimizers, minidl.Handlers, minidl.Datasets, minidl.Weights")


def measure():
    def run(program):
        return lambda: subprocess.run([sys.executable, "-c", program], check=True)

    subjects = [everything, "pass"]
    if importlib.util.find_spec("torch"):
        subjects.append("import torch")
    ours, empty, *peer = alternate(*map(run, subjects), rounds=9)
    return [Row("import of everything", ours - empty, *(time - empty for time in peer), goal=6)]
