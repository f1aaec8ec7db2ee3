import threading

import numpy as np
import pytest

from minidl.Backend.Cpu.MemoryPool import MemoryPool, OutOfMemoryError, alignment, rounded


@pytest.fixture
def pool():
    return MemoryPool()


@pytest.mark.parametrize("nbytes", [0, 1, 63, 64, 65, 1000, 4096, 10**6 + 1, 123456789])
def test_memory_is_aligned_and_at_most_an_eighth_too_large(pool, nbytes):
    memory = pool.allocate(nbytes)

    assert memory.ptr % alignment == 0 and memory.ptr == memory.ctypes.data
    assert nbytes <= len(memory) <= max(1.125 * nbytes, nbytes + alignment)


def test_rounding_is_steady():
    for nbytes in range(5000):
        assert rounded(rounded(nbytes)) == rounded(nbytes) <= rounded(nbytes + 1)


def test_negative_size_is_refused(pool):
    with pytest.raises(ValueError, match="zero bytes or more, got -4"):
        pool.allocate(-4)


def test_released_memory_is_used_again(pool):
    first = pool.allocate(1000)
    address = first.ptr
    pool.release(first)

    assert pool.allocate(1000).ptr == address
    assert pool.systemAllocations == 1


def test_memory_serves_other_sizes_that_round_to_its_own(pool):
    assert rounded(1001) == rounded(1020)
    first = pool.allocate(1001)
    pool.release(first)

    assert pool.allocate(1020) is first


def test_memory_in_use_is_not_handed_out_again(pool):
    pieces = [pool.allocate(1000) for _ in range(5)]
    assert len({piece.ptr for piece in pieces}) == 5


def test_stats_count_what_is_held(pool):
    first, second, third = (pool.allocate(nbytes) for nbytes in (64, 64, 128))
    assert pool.getStats() == (0, 0, 3)

    for memory in (first, second, third):
        pool.release(memory)

    assert pool.getStats() == (3, 256, 3)


def test_held_memory_can_be_given_back(pool):
    pool.release(pool.allocate(1000))
    pool.freeHeld()
    assert pool.getStats() == (0, 0, 1)

    pool.release(pool.allocate(1000))
    assert pool.getStats()[0] == 1


def test_pool_that_has_stopped_holding_keeps_nothing(pool):
    memory = pool.allocate(1000)
    pool.release(pool.allocate(1000))

    pool.stopHolding()
    pool.release(memory)

    assert pool.getStats()[:2] == (0, 0)


@pytest.fixture
def refuse(monkeypatch):
    """refuse(n): the system refuses the next n requests for memory."""
    refused, allocate = [], np.empty

    def empty(*arguments):
        if refused:
            refused.pop()
            raise MemoryError
        return allocate(*arguments)

    monkeypatch.setattr(np, "empty", empty)
    return lambda number: refused.extend(range(number))


def test_when_the_system_refuses_held_memory_is_given_back_first(pool, refuse):
    pool.release(pool.allocate(10_000))

    refuse(1)
    memory = pool.allocate(500)

    assert len(memory) >= 500 and pool.getStats() == (0, 0, 2)


def test_when_the_system_refuses_for_good_the_pool_goes_on(pool, refuse):
    refuse(2)
    with pytest.raises(OutOfMemoryError, match="no room for 1024 more bytes"):
        pool.allocate(1000)

    assert len(pool.allocate(1000)) == 1024


def test_debug_memory_is_not_a_number(pool):
    memory = pool.allocate(64)
    memory.fill(0)
    pool.release(memory)

    pool.setupDebug()
    again = pool.allocate(64)

    assert again is memory
    for dtype in (np.float16, np.float32, np.float64):
        assert np.isnan(again.view(np.ndarray).view(dtype)).all()
    assert (again.view(np.ndarray).view(np.int32) == -1).all()


def test_threads_never_share_a_piece(pool):
    failures = []

    def use(number):
        for _ in range(300):
            pieces = [pool.allocate(256) for _ in range(3)]
            for piece in pieces:
                piece.fill(number)
            failures.extend(piece for piece in pieces if (piece != number).any())
            for piece in pieces:
                pool.release(piece)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
