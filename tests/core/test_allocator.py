"""The caching allocator: what it counts, keeps and gives back."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

import pytest

import rushlight


@pytest.fixture(autouse=True)
def no_garbage():
    """What earlier tests left for the collector must not go while this one counts."""
    gc.collect()


def stats(name):
    return rushlight.memory_stats()[name]


def settles_at(expected, seconds=10):
    """Whether the count of bytes comes to the expected one, once threads that have ended have reported theirs."""
    end = time.monotonic() + seconds
    while stats("allocated_bytes.current") != expected and time.monotonic() < end:
        time.sleep(0.01)
    return stats("allocated_bytes.current") == expected


def test_bytes_are_counted():
    before = stats("allocated_bytes.current")
    x = rushlight.empty(1 << 20, dtype=rushlight.uint8)
    assert stats("allocated_bytes.current") - before >= 1 << 20
    del x
    assert stats("allocated_bytes.current") == before


def test_the_peak_is_kept_until_it_is_reset():
    rushlight.reset_peak_memory_stats()
    before = stats("allocated_bytes.current")
    rushlight.empty(1 << 22, dtype=rushlight.uint8)
    assert stats("allocated_bytes.peak") - before >= 1 << 22
    rushlight.reset_peak_memory_stats()
    assert stats("allocated_bytes.peak") == stats("allocated_bytes.current")


# Under AddressSanitizer nothing is kept, so that it sees each block's true life.
keeps_memory = pytest.mark.skipif(
    "libasan" in Path("/proc/self/maps").read_text(), reason="the sanitizer's build keeps no memory"
)


@keeps_memory
def test_memory_is_reused():
    rushlight.empty(3_000_000).fill_(1)
    rushlight.empty(300).fill_(1)
    before = stats("system_allocations")
    for _ in range(100):
        rushlight.empty(3_000_000)
        rushlight.empty(300)
    assert stats("system_allocations") == before


@keeps_memory
def test_kept_memory_can_be_given_back():
    rushlight.empty(1 << 26, dtype=rushlight.uint8)
    held = stats("reserved_bytes.current")
    assert held >= stats("allocated_bytes.current") + (1 << 26)
    rushlight.empty_cache()
    assert stats("reserved_bytes.current") <= held - (1 << 26)


def test_alignment():
    for size in (1, 3, 17, 1000, 100_000, 10_000_000):
        assert rushlight.empty(size).data_ptr() % 64 == 0


@pytest.mark.parametrize("elements", [2**40, 2**60])
def test_absurd_sizes_raise_and_the_process_lives(elements):
    with pytest.raises(RuntimeError, match="can't allocate memory: you tried to allocate"):
        rushlight.empty(elements)
    assert rushlight.ones(3).sum().item() == 3


def test_blocks_may_be_freed_by_another_thread():
    before = stats("allocated_bytes.current")
    tensors = [rushlight.empty(size % 5000 + 1) for size in range(3000)]
    worker = threading.Thread(target=tensors.clear)
    worker.start()
    worker.join()
    assert settles_at(before)


def test_threads_leave_nothing_behind():
    before = stats("allocated_bytes.current")

    def work():
        for size in range(2000):
            rushlight.empty(size * 7).fill_(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert settles_at(before)


def test_a_forked_process_allocates():
    child = os.fork()
    if child == 0:
        total = sum(rushlight.ones(size).sum().item() for size in (10, 1000, 1_000_000))
        os._exit(0 if total == 1_001_010 else 1)
    assert os.waitpid(child, 0)[1] == 0
