"""One seed for all that is random."""

import hashlib

import numpy as np
import pytest

import minidl
from minidl import Random
from minidl.Backend import gpuarray
from minidl.Modules import BatchNorm, Dropout, Linear
from tests.Processes import run


def draws():
    """A digest of initial weights, dropout, noise and an order of samples."""
    ones = gpuarray.to_gpu(np.ones((31, 7), np.float32))
    arrays = [
        Linear(50, 30).W, Linear(7, 5, initscheme="he").W, BatchNorm(40).scale,
        Dropout(0.3)(ones), gpuarray.globalRng.fillNormal(gpuarray.empty(101)),
        gpuarray.globalRng.fillUniform(gpuarray.empty(101)),
    ]
    parts = [array.get() for array in arrays] + [Random.shuffler.permutation(100)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_the_seed_repeats_all():
    minidl.seed(7)
    first = draws()
    later = draws()
    minidl.seed(7)

    assert draws() == first != later
    minidl.seed(8)
    assert draws() != first


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("hashSeed", [0, 1])
def test_the_seed_repeats_all_in_another_process(threads, hashSeed):
    minidl.seed(7)
    text = "import minidl; minidl.seed(7); from tests.test_Random import draws; print(draws())"

    out, _ = run(text, OMP_NUM_THREADS=threads, PYTHONHASHSEED=hashSeed)

    assert out.strip() == draws()


@pytest.mark.parametrize("value", [0, 1, 2 ** 32 - 1])
def test_takes_any_seed_of_32_bits(value):
    minidl.seed(value)


@pytest.mark.parametrize("value", [-1, 2 ** 32])
def test_a_seed_out_of_range_is_refused_and_seeds_nothing(value):
    minidl.seed(7)
    expected = draws()
    minidl.seed(7)

    with pytest.raises(ValueError, match=rf"from 0 to 2\*\*32 - 1, got {value}"):
        minidl.seed(value)

    assert draws() == expected
