import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Backend.Ops import Random
from minidl.Backend.Ops.Random import Generator

# Philox4x32-10 with 0, with all bits set, with digits of pi: as published with Random123.
published = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]
sizes = pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 63, 1001, 100003])


@pytest.mark.parametrize("counter, key, answer", published)
def test_the_published_answers(counter, key, answer):
    counters = gpuarray.to_gpu(np.array(counter, np.uint32))
    out = gpuarray.empty(4, np.uint32)

    Random.kernels.philoxAnswers(1, counters, out, 1, *key)

    assert tuple(out.get()) == answer


@sizes
def test_bits_are_philox_of_the_running_counter(size):
    generator = Generator(seed=(5 << 32) + 3)
    generator.position = (1 << 32) - 2  # so that the counter's low word runs over
    bits = generator.bits(size).get()

    count = -(-size // 4)
    positions = np.arange(count, dtype=np.uint64) + np.uint64((1 << 32) - 2)
    counters = np.zeros((count, 4), np.uint32)
    counters[:, 0], counters[:, 1] = positions & np.uint64(0xFFFFFFFF), positions >> np.uint64(32)
    expected = gpuarray.empty(4 * count, np.uint32)
    Random.kernels.philoxAnswers(1, gpuarray.to_gpu(counters), expected, count, 3, 5)
    assert np.array_equal(bits, expected.get()[:size])
    assert generator.position == (1 << 32) - 2 + count


def test_no_number_is_used_twice():
    generator, once = Generator(3), Generator(3)

    parts = [generator.bits(size).get() for size in (4, 8, 12)]

    assert np.array_equal(np.concatenate(parts), once.bits(24).get())


@sizes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_lie_in_their_range(size, dtype):
    numbers = Generator(1).fillUniform(gpuarray.empty(size, dtype), -2.0, 3.0).get()

    assert (-2 <= numbers).all() and (numbers < 3).all()
    assert len(np.unique(numbers)) > 0.9 * size


def test_uniform_numbers_are_the_leading_bits():
    bits = Generator(1).bits(1001).get()

    numbers = Generator(1).fillUniform(gpuarray.empty(1001)).get()

    assert np.array_equal(numbers, (bits >> 8).astype(np.float32) / 2 ** 24)


def test_uniform_numbers_are_uniform():
    numbers = Generator(1).fillUniform(gpuarray.empty(1000000)).get()

    counts, _ = np.histogram(numbers, 100, (0, 1))
    assert ((counts - 10000) ** 2 / 10000).sum() < 160  # chi square of 99 degrees: p = 1e-4


@sizes
def test_normal_numbers_are_whole(size):
    assert np.isfinite(Generator(1).fillNormal(gpuarray.empty(size)).get()).all()


def test_normal_numbers_are_normal():
    numbers = Generator(1).fillNormal(gpuarray.empty(1000001), 3.0, 2.0).get().astype(np.float64)

    normal = (numbers - 3) / 2
    moments = [(normal ** k).mean() for k in range(1, 7)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3, 0, 15], rtol=0.03, atol=0.03)
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 0.004
    assert 4.3 < np.abs(normal).max() < 7


@pytest.mark.parametrize("fill", ["fillInteger", "fillUniform", "fillNormal"])
def test_same_bits_for_any_number_of_threads(fill, device):
    results, dtype = [], np.uint32 if fill == "fillInteger" else np.float32
    for threads in (1, 2, 3):
        device.setThreads(threads)
        results.append(getattr(Generator(2), fill)(gpuarray.empty(200003, dtype)).get())

    assert all(result.tobytes() == results[0].tobytes() for result in results)


def test_streams_of_different_seeds_differ():
    seeds = [0, 1, 1 << 32, (1 << 64) - 1]

    assert len({Generator(seed).bits(100).get().tobytes() for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_refuses_a_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=rf"from 0 to 2\*\*64 - 1, got {seed}"):
        Generator(seed)
