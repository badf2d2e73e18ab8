"""One fresh process: time workloads, or the import, on one backend, and print the figures as lines of JSON.

    python -m benchmarks.worker BACKEND THREADS CLOCK SECONDS NAME...

CLOCK is `wall`, or `processor` for the time that the process itself ran, which other programs disturb less.
SECONDS are what the timing of one workload should take.
"""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

REPEATS = 7
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}
AGREED_STEPS = 3  # of a model, whose results are compared


def time_step(step: Any, clock: Callable[[], float], seconds: float) -> float:
    """The median, over repeats, of the seconds that a call takes."""
    step()
    start = clock()
    step()
    once = clock() - start
    calls = max(1, round(seconds / REPEATS / max(once, 1e-8)))
    times = []
    for _ in range(REPEATS):
        start = clock()
        for _ in range(calls):
            step()
        times.append((clock() - start) / calls)
    return statistics.median(times)


def time_import(backend: str) -> dict[str, float]:
    """Seconds to import, and megabytes resident afterwards."""
    start = time.perf_counter()
    importlib.import_module(backend)
    seconds = time.perf_counter() - start
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return {"seconds": seconds, "resident": int(line.split()[1]) / 1024}


def main() -> None:
    """Print a line for each workload as soon as it is timed."""
    backend, threads, clock, seconds, *names = sys.argv[1:]
    if names == ["import"]:
        print(json.dumps(time_import(backend)))
        return
    from benchmarks.workload import WORKLOADS, load

    load()
    torch = importlib.import_module(backend)
    torch.set_num_threads(int(threads))
    for name in names:
        item = WORKLOADS[name]
        step = item.step(torch)
        results = [step().detach().double().sum().item() for _ in range(AGREED_STEPS)] if item.model else []
        found = time_step(step, CLOCKS[clock], float(seconds))
        print(json.dumps({"name": name, "seconds": found, "results": results}), flush=True)
        del step
        gc.collect()


if __name__ == "__main__":
    main()
