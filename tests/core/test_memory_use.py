"""What training runs ask of the system: memory in their first steps, and none afterwards."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import pytest

import rushlight as torch
from tests.training_runs import RUNS

WARM = 2  # steps: the second meets the gradients and the optimizer's state of the first
STEPS = 6

pytestmark = pytest.mark.skipif(
    "libasan" in Path("/proc/self/maps").read_text(), reason="the sanitizer's build keeps no memory"
)


@pytest.fixture(autouse=True)
def one_thread():
    """A second thread may meet a loop for the first time in any step."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(prepare, steps):
    """A step at a time."""
    torch.manual_seed(0)
    net, optimizer, loss = prepare()
    for step in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        yield step


@pytest.mark.parametrize("prepare", RUNS)
def test_warm_steps_ask_the_system_for_no_memory(prepare):
    run = train(prepare, WARM + STEPS)
    for _ in range(WARM):
        next(run)
    before = torch.memory_stats()
    assert len(list(run)) == STEPS
    after = torch.memory_stats()
    assert after["system_allocations"] == before["system_allocations"]
    assert after["reserved_bytes.current"] == before["reserved_bytes.current"]
    assert after["allocations"] > before["allocations"]


@pytest.mark.parametrize("prepare", RUNS)
def test_warm_steps_take_no_page_faults(prepare):
    run = train(prepare, WARM + STEPS)
    for _ in range(WARM):
        next(run)
    gc.collect()
    gc.disable()  # a collection may touch memory that is no tensor's
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        assert len(list(run)) == STEPS
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    finally:
        gc.enable()
    assert faults < STEPS  # Python's own objects may take a few


def test_sizes_that_take_turns_ask_for_memory_only_in_the_first_round():
    def visit():
        for rows in (64, 7, 200, 33, 1000):
            x = torch.ones(rows, 300)
            y = x @ x.T
            (y + y).sum()

    visit()
    before = torch.memory_stats()["system_allocations"]
    for _ in range(5):
        visit()
    assert torch.memory_stats()["system_allocations"] == before


def test_what_a_run_leaves_behind_is_freed():
    gc.collect()
    before = torch.memory_stats()["allocated_bytes.current"]
    list(train(RUNS[0], 2))
    gc.collect()
    assert torch.memory_stats()["allocated_bytes.current"] == before
