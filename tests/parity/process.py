"""Run each entry in a forked process of its own, so that a crash or a hang is one entry's failure."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from .check import EntryCheck, Outcome
from .worklist import PYTORCH_DEFECTS, counterpart, entries, entry_name

torch.set_num_threads(1)  # a thread pool does not survive a fork

_context = multiprocessing.get_context("fork")


@dataclass
class Report:
    """All that is known of one entry."""

    name: str
    exists: bool
    outcomes: list[Outcome] = field(default_factory=list)
    fault: str | None = None
    seconds: float = 0.0

    @property
    def passes(self) -> bool:
        """Exists, ended by itself, and nothing of what was compared differs."""
        parts = [part for outcome in self.outcomes for part in (outcome.forward, outcome.grad)]
        return self.exists and self.fault is None and True in parts and False not in parts

    @property
    def fails(self) -> bool:
        """Exists and differs, where PyTorch is right."""
        return self.exists and not self.passes and self.name not in PYTORCH_DEFECTS

    @property
    def message(self) -> str:
        """The first thing that went wrong."""
        if self.fault:
            return self.fault
        if self.exists and not self.passes and not self.fails:
            return f"left out: {PYTORCH_DEFECTS[self.name]}"
        for outcome in self.outcomes:
            if outcome.messages:
                return f"{outcome.dtype} {outcome.messages[0]}"
        return "" if self.passes or not self.exists else "nothing to compare"


def _work(entry: Any, cap: int | None, second: bool, channel: Connection) -> None:
    check = EntryCheck(entry, cap, second)
    for outcome in check.outcomes():
        channel.send(outcome)
    channel.send(None)


class _Job:
    """One running entry."""

    def __init__(self, entry: Any, cap: int | None, second: bool, limit: float) -> None:
        self.report = Report(entry_name(entry), exists=True)
        self.channel, theirs = _context.Pipe(duplex=False)
        self.process = _context.Process(target=_work, args=(entry, cap, second, theirs), daemon=True)
        self.started = time.monotonic()
        self.deadline = self.started + limit
        self.process.start()
        theirs.close()

    def receive(self) -> bool:
        """Take one message; whether the entry is done."""
        try:
            outcome = self.channel.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            return self.end(f"{cause} after {len(self.report.outcomes)} dtypes")
        if outcome is None:
            self.process.join()
            return self.end(None)
        self.report.outcomes.append(outcome)
        return False

    def end(self, fault: str | None) -> bool:
        self.report.fault = fault
        self.report.seconds = time.monotonic() - self.started
        self.channel.close()
        return True

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.end(f"ran past its time limit after {len(self.report.outcomes)} dtypes")


def reports(
    names: list[str],
    jobs: int = 1,
    cap: int | None = None,
    second: bool = False,
    limit: float = 120.0,
) -> Iterator[Report]:
    """Compare the entries of those names, so many at once, in the order in which they end."""
    known = entries()
    waiting = [known[name] for name in names]
    running: list[_Job] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            entry = waiting.pop(0)
            if counterpart(entry) is None:
                yield Report(entry_name(entry), exists=False)
            else:
                running.append(_Job(entry, cap, second, limit))
        ready = wait([job.channel for job in running], timeout=0.5)
        for job in list(running):
            done = job.receive() if job.channel in ready else False
            if not done and time.monotonic() > job.deadline:
                job.stop()
                done = True
            if done:
                running.remove(job)
                yield job.report


def report(entry: Any, cap: int | None = None, second: bool = False, limit: float = 120.0) -> Report:
    """Compare one entry in a forked process."""
    job = _Job(entry, cap, second, limit)
    while True:
        if wait([job.channel], timeout=max(0.0, job.deadline - time.monotonic())):
            if job.receive():
                return job.report
        else:
            job.stop()
            return job.report
