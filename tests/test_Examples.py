import os
import re
from pathlib import Path

import pytest

from tests.Processes import run

root = Path(__file__).parent.parent
path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
blocks = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in pages
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


def trainMlp(*arguments):
    out, _ = run("", "examples/trainMlp.py", *map(str, arguments), PYTHONPATH=path)
    return out


def test_training_reaches_97_percent_and_a_fresh_process_loads_the_same_accuracy(tmp_path):
    trained = trainMlp("--save", tmp_path / "net.hdf", "--plot", tmp_path / "curves.png")
    loaded = trainMlp("--load", tmp_path / "net.hdf")

    last = trained.splitlines()[-1]
    assert float(re.fullmatch(r"test accuracy: (0\.\d{6})", last)[1]) >= 0.97
    assert loaded.splitlines()[-1] == last
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_training_goes_on_in_its_folder(tmp_path):
    whole = trainMlp("--epochs", 3, "--resume", tmp_path / "whole").splitlines()
    trainMlp("--epochs", 3, "--resume", tmp_path / "run")
    for step in (46, 69):
        (tmp_path / f"run/checkpoint-{step:012}.hdf").unlink()

    resumed = trainMlp("--epochs", 3, "--resume", tmp_path / "run").splitlines()

    assert resumed == [whole[0], *whole[2:]]


def test_the_seed_of_an_example_repeats_it():
    runs = [trainMlp("--epochs", 2, "--seed", seed) for seed in (5, 5, 6)]

    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("block", blocks)
def test_python_blocks_of_the_pages_run(block, tmp_path):
    run(f"import os; os.chdir({str(tmp_path)!r})\n{block}", PYTHONPATH=path)
