"""Of thousands of damaged files none ends the process or hangs it, or is taken for a good one."""

import pytest

from tests import Fuzz
from tests.Fuzz import answers, damaged, fuzz, images
from tests.Processes import start
from tests.Soak import times


def test_sealed_files(count):
    found, numbers = fuzz("sealed", times(1000, 10_000))

    count(f"damaged files under a seal: {dict(found)}")
    assert numbers == [] and found == {"refused": times(1000, 10_000)}


def test_files_without_a_seal(count):
    found, numbers = fuzz("bare", times(500, 10_000))

    count(f"damaged files without a seal: {dict(found)}")
    # What the seal is for: numbers that changed without more.
    assert found["wrong"] < 0.05 * found.total()
    assert set(found) <= {"refused", "unspoiled", "wrong"}, numbers


@pytest.mark.parametrize("kind", ["sealed", "bare"])
def test_every_damage_is_one_and_comes_back(kind):
    for image in images(kind):
        for number in range(100):
            assert damaged(image, number) == damaged(image, number) != image


@pytest.mark.parametrize("end, word", [
    ("os.abort()", "crashed"), ("os._exit(3)", "crashed"), ("time.sleep(999)", "hung")])
def test_crashes_and_hangs_are_seen(end, word, monkeypatch):
    monkeypatch.setattr(Fuzz, "patience", 2)
    lines = "print('5 refused'); print(6, end=' ', flush=True)"

    process = start(f"import os, time; {lines}; {end}")
    assert [*answers(process)] == [(5, "refused"), (6, word)]
    process.communicate()
