"""One fresh process: time one workload, or the import, on one backend, and print the figures as JSON."""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from typing import Any

REPEATS = 9
SECONDS = 0.1  # that a repeat should fill


def time_step(step: Any) -> float:
    """The median, over repeats, of the seconds that a call takes."""
    step()
    start = time.perf_counter()
    step()
    once = time.perf_counter() - start
    calls = max(1, round(SECONDS / max(once, 1e-8)))
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        times.append((time.perf_counter() - start) / calls)
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
    """benchmarks.worker BACKEND NAME THREADS"""
    backend, name, threads = sys.argv[1:]
    if name == "import":
        print(json.dumps(time_import(backend)))
        return
    from benchmarks.workloads import WORKLOADS

    torch = importlib.import_module(backend)
    torch.set_num_threads(int(threads))
    print(json.dumps({"seconds": time_step(WORKLOADS[name].prepare(torch))}))


if __name__ == "__main__":
    main()
