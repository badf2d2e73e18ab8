"""python -m benchmarks.instructions: count the instructions of small calls, and fail where one grew.

Valgrind's callgrind counts what a process executes; the difference between two loop lengths, over the difference
of their lengths, is what one pass costs. Counts hardly vary from run to run, so that they can be compared with those
recorded in instructions.json. They are of the baseline instruction set, the only one that valgrind knows whole.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_suffix(".json")
GROWTH = 1.05  # the largest allowed, over the record
LOOPS = (200, 1200)

Step = Callable[[], Any]


def _add(torch: Any) -> Step:
    a, b = torch.ones(1), torch.ones(1)
    return lambda: a + b


def _linear(torch: Any) -> Step:
    layer, x = torch.nn.Linear(16, 16), torch.ones(1, 16)

    def step() -> None:
        with torch.no_grad():
            layer(x)

    return step


def _module(torch: Any) -> Step:
    module, x = torch.nn.Identity(), torch.ones(1)
    return lambda: module(x)


def _parameter(torch: Any) -> Step:
    module = torch.nn.Linear(4, 4)
    return lambda: module.weight


def _index(torch: Any) -> Step:
    a = torch.ones(4, 4)
    return lambda: a[0]


def _backward(torch: Any) -> Step:
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    return lambda: (a * b).backward()


def _graph(nodes: int) -> Callable[[Any], Step]:
    """Backward through so many negations, recorded once."""

    def prepare(torch: Any) -> Step:
        y = torch.ones(1, requires_grad=True)
        for _ in range(nodes):
            y = -y
        return lambda: y.backward(retain_graph=True)

    return prepare


def _optimizer(torch: Any) -> Step:
    layer = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    layer(torch.ones(1, 4)).sum().backward()
    return optimizer.step


_SHORT, _LONG = 10, 60  # nodes of the graphs whose difference gives the cost of one
STEPS: dict[str, Callable[[Any], Step]] = {
    "a + b": _add,
    "Linear(16, 16) under no_grad": _linear,
    "Module.__call__": _module,
    "module.weight": _parameter,
    "a[0]": _index,
    "(a * b).backward()": _backward,
    "SGD.step of two parameters": _optimizer,
    f"backward of {_SHORT} nodes": _graph(_SHORT),
    f"backward of {_LONG} nodes": _graph(_LONG),
}
NODE = "graph node in backward"


def _run(backend: str, name: str, loops: int) -> None:
    """What callgrind watches."""
    torch = importlib.import_module(backend)
    torch.set_num_threads(1)
    step = STEPS[name](torch)
    for _ in range(loops):
        step()


def _instructions(backend: str, name: str, loops: int) -> int:
    """Of a whole process."""
    environment = {**os.environ, "RUSHLIGHT_ISA": "baseline", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", sys.executable]
        command += ["-m", "benchmarks.instructions", "--run", backend, name, str(loops)]
        found = subprocess.run(command, env=environment, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{name}: {found.stderr}")
    return int(re.search(r"Collected : (\d+)", found.stderr)[1])


def count(backend: str = "rushlight") -> dict[str, int]:
    """Instructions of one pass of each step, and of a node in backward."""
    tasks = [(name, loops) for name in STEPS for loops in LOOPS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        totals = dict(zip(tasks, pool.map(lambda task: _instructions(backend, *task), tasks)))
    few, many = LOOPS
    found = {name: round((totals[name, many] - totals[name, few]) / (many - few)) for name in STEPS}
    short, long = found.pop(f"backward of {_SHORT} nodes"), found.pop(f"backward of {_LONG} nodes")
    return {**found, NODE: round((long - short) / (_LONG - _SHORT))}


def main() -> None:
    """Print the counts beside the record; with --record write them there instead of comparing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the counts to instructions.json")
    parser.add_argument("--run", nargs=3, metavar=("BACKEND", "STEP", "LOOPS"), help="only run a step")
    options = parser.parse_args()
    if options.run:
        backend, name, loops = options.run
        _run(backend, name, int(loops))
        return
    found = count()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    print(f"{'instructions':<32} {'recorded':>9} {'now':>9} {'change':>7}")
    for name, now in found.items():
        before = recorded.get(name, now)
        print(f"{name:<32} {before:>9,} {now:>9,} {now / before - 1:>+7.1%}")
    if options.record:
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    elif grown := [name for name, now in found.items() if now > GROWTH * recorded.get(name, now)]:
        raise SystemExit(f"grew by more than {GROWTH - 1:.0%}: {', '.join(grown)}")


if __name__ == "__main__":
    main()
