"""The exponents and the picture of benchmarks/Scaling.py, from times that are known."""

import numpy as np
import pytest

from benchmarks.Scaling import Growth, plot, table

numbers = [1, 2, 4, 8, 32]
growth = Growth("work", "images", numbers, {
    "minidl": [3 * n ** 1.5 for n in numbers], "PyTorch": [5.0 * n for n in numbers]})


def test_fit_finds_the_power_law():
    assert growth.fit("minidl") == pytest.approx((1.5, 3))
    assert growth.fit("PyTorch") == pytest.approx((1, 5))


def test_fit_is_the_one_of_least_squares(rng):
    times = rng.uniform(1, 100, len(numbers))
    k, c = Growth("work", "images", numbers, {"minidl": times}).fit("minidl")
    error = lambda k, c: ((np.log(times) - np.log(c) - k * np.log(numbers)) ** 2).sum()

    assert error(k, c) < min(error(k + 0.01, c), error(k - 0.01, c),
                             error(k, c * 1.01), error(k, c / 1.01))


def test_table_ends_with_the_exponent():
    assert [line.split()[-1] for line in table(growth)] == ["images", "k", "1.50", "1.00"]


def test_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
    plot([growth] * 4, tmp_path / "growth.png")

    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
