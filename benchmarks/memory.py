"""python -m benchmarks.memory: what training takes from the system, on PyTorch and on Rushlight.

After its first steps a training loop should keep its memory: no page fault, no system call of an allocator. Faults
are those that the kernel counts for the process; system calls are those that strace sees more of in a longer run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.workload import WORKLOADS, load

FIRST, LAST = 3, 20  # the steps between which nothing may be taken
CALLS = "mmap,munmap,mremap,brk,madvise"
MODELS = ("mlp-sgd", "mlp-adam", "mnist-cnn", "resnet18", "gpt", "lstm")


def _usage() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_SELF)


def _run(backend: str, name: str, steps: int) -> dict[str, float]:
    """Faults of the steps after the first three, and megabytes resident at the peak, and before the model."""
    torch = importlib.import_module(backend)
    load()
    before = _usage().ru_maxrss
    step = WORKLOADS[name].step(torch)
    faults = 0
    for index in range(1, steps + 1):
        step()
        if index == FIRST - 1:
            faults = _usage().ru_minflt
    return {
        "faults": _usage().ru_minflt - faults,
        "peak": _usage().ru_maxrss / 1024,
        "before": before / 1024,
    }


def _process(backend: str, name: str, steps: int, threads: int, wrapper: list[str]) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [*wrapper, sys.executable, "-m", "benchmarks.memory", "--run", backend, name, str(steps)]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(found.stdout.splitlines()[-1])


def _system_calls(backend: str, name: str, steps: int, threads: int) -> int:
    """Calls of the kinds in CALLS by a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "calls")
        wrapper = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log)]
        _process(backend, name, steps, threads, wrapper)
        return len(log.read_text().splitlines())


def _row(name: str, threads: int) -> bool:
    """Print a model's figures; says whether Rushlight took nothing and no more than PyTorch."""
    found = {backend: _process(backend, name, LAST, threads, []) for backend in ("torch", "rushlight")}
    calls = {backend: 0 for backend in found}
    if shutil.which("strace"):
        for backend in found:
            few, many = (_system_calls(backend, name, steps, threads) for steps in (FIRST, LAST))
            calls[backend] = many - few
    cells = [f"{found[backend]['faults']:.0f}" for backend in found]
    cells += [str(calls[backend]) for backend in found]
    for key in ("peak", "own"):
        for backend in found:
            own = found[backend]["peak"] - found[backend]["before"]
            cells.append(f"{found[backend]['peak'] if key == 'peak' else own:.0f}")
    print(f"{name:<20}" + "".join(f"{cell:>10}" for cell in cells), flush=True)
    mine, theirs = found["rushlight"], found["torch"]
    return not mine["faults"] and not calls["rushlight"] and mine["peak"] <= theirs["peak"]


def main() -> None:
    """Print the table; end with an error where Rushlight took something."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("names", nargs="*", default=[f"training/{model}" for model in MODELS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", nargs=3, metavar=("BACKEND", "NAME", "STEPS"), help="only run a workload")
    options = parser.parse_args()
    if options.run:
        backend, name, steps = options.run
        print(json.dumps(_run(backend, name, int(steps))))
        return
    titles = (f"faults, steps {FIRST} to {LAST}", f"calls, {FIRST} to {LAST}", "peak, MB", "above import, MB")
    print(f"{'':<20}" + "".join(f"{title:>20}" for title in titles))
    print(f"{'':<20}" + f"{'PyTorch':>10}{'Rushlight':>10}" * len(titles))
    if not all([_row(name, options.threads) for name in options.names]):
        raise SystemExit("Rushlight took memory after its first steps, or more than PyTorch")


if __name__ == "__main__":
    main()
