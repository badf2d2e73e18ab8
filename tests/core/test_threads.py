"""The thread pool: any number of threads, several callers, forked processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

import rushlight

LARGE = 1 << 20


@pytest.fixture
def thread_count():
    before = rushlight.get_num_threads()
    yield
    rushlight.set_num_threads(before)


def total():
    return rushlight.arange(LARGE, dtype=rushlight.float64).mul(2).sum().item()


EXPECTED = float(LARGE * (LARGE - 1))


def test_any_number_of_threads_gives_the_same_bits(thread_count):
    x = rushlight.rand(LARGE)
    results = set()
    for count in (1, 2, 3, 7):
        rushlight.set_num_threads(count)
        assert rushlight.get_num_threads() == count
        results.add((x.exp().sum().item(), total()))
    assert len(results) == 1


def test_a_count_must_be_positive():
    with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
        rushlight.set_num_threads(0)


def test_several_python_threads_at_once(thread_count):
    rushlight.set_num_threads(3)
    results = []
    workers = [threading.Thread(target=lambda: results.extend(total() for _ in range(20))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()
    assert results == [EXPECTED] * 80


def test_a_forked_process_has_threads_of_its_own(thread_count):
    rushlight.set_num_threads(2)
    assert total() == EXPECTED
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0 if total() == EXPECTED else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert total() == EXPECTED


def test_forking_while_other_threads_compute(thread_count):
    rushlight.set_num_threads(2)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            total()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if total() == EXPECTED else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        worker.join()


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({"RUSHLIGHT_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"RUSHLIGHT_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"RUSHLIGHT_NUM_THREADS": "many"}, len(os.sched_getaffinity(0))),
    ],
)
def test_the_environment_sets_the_count(variables, count):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | variables
    program = "import rushlight; print(rushlight.get_num_threads())"
    output = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(output.stdout) == count


def test_a_process_ends_while_its_threads_wait():
    program = "import rushlight as t; t.set_num_threads(4); t.ones(1 << 20).exp().sum()"
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
