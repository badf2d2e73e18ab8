"""python -m benchmarks [NAMES]: time PyTorch and Rushlight in turn and print the ratios.

NAMES are workloads, groups of them ("convolution/resnet18") or patterns ("gemm/*/512"). Each round runs every
suite once on each backend, in a fresh process; a figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import roofline
from benchmarks.workload import WORKLOADS, Cost, Workload, load, select

Contestant = tuple[str, str, int]  # title, backend, threads
AGREEMENT = (
    1e-3  # largest relative difference of a model's first losses; rounding errors grow from step to step
)
APART = ("import", "size")  # measured otherwise than by timing a step

Runs = dict[str, list[dict[str, Any]]]  # by the contestant's title, one of each round


def _contestants(options: argparse.Namespace) -> tuple[Contestant, Contestant]:
    """Whose times are compared: the first's over the second's is the ratio."""
    if options.scaling:
        return ("1 thread", "rushlight", 1), (f"{options.threads} threads", "rushlight", options.threads)
    return ("PyTorch", "torch", options.threads), ("Rushlight", "rushlight", options.threads)


def _work(contestant: Contestant, names: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of one fresh process."""
    _, backend, count = contestant
    threads = str(count)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [sys.executable, "-m", "benchmarks.worker", backend, threads, options.clock]
    command += [str(options.seconds), *names]
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{backend} failed:\n{found.stderr}")
    return [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]


def _rounds(names: list[str], options: argparse.Namespace) -> list[Runs]:
    """For each name its figures: PyTorch, Rushlight, PyTorch, Rushlight, ..."""
    contestants = _contestants(options)
    found: list[Runs] = [{title: [] for title, _, _ in contestants} for _ in names]
    for _ in range(options.rounds):
        for contestant in contestants:
            for runs, figures in zip(found, _work(contestant, names, options)):
                runs[contestant[0]].append(figures)
    return found


def _medians(runs: Runs, key: str = "seconds") -> tuple[list[list[float]], list[float]]:
    """Both contestants' figures, and their medians."""
    values = [[figures[key] for figures in rounds] for rounds in runs.values()]
    return values, [statistics.median(found) for found in values]


def _check_agreement(name: str, runs: Runs) -> None:
    theirs, mine = (rounds[0].get("results", []) for rounds in runs.values())
    for step, (expected, found) in enumerate(zip(theirs, mine)):
        if not math.isclose(expected, found, rel_tol=AGREEMENT):
            raise SystemExit(f"{name}: step {step} gives {found}, not {expected}")


def _duration(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _spread(values: list[float]) -> str:
    """Half the range over the median."""
    return f"{(max(values) - min(values)) / 2 / statistics.median(values):4.0%}"


def _row(title: str, cells: list[str]) -> str:
    return f"{title:<58} {cells[0]:>9} {cells[1]:>4} {cells[2]:>9} {cells[3]:>4} {cells[4]:>6}  {cells[5]}".rstrip()


def _attainment(cost: Cost, seconds: float, limits: roofline.Roofline | None) -> dict[str, Any]:
    """What is reached, what the machine would allow, and the fraction."""
    moved = cost.read + cost.written
    if not (cost.operations or moved):
        return {}
    found: dict[str, Any] = {"gflops": cost.operations / seconds / 1e9, "gigabytes": moved / seconds / 1e9}
    if limits:
        least = limits.seconds(cost)
        bound = "gflops" if least == limits.arithmetic_seconds(cost) else "gigabytes"
        found |= {"limit_seconds": least, "fraction": least / seconds, "bound": bound}
    return found


def _note(found: dict[str, Any]) -> str:
    """The rate that the limit is about, the limit, and the fraction of it."""
    if "bound" not in found:
        return ""
    rate, unit = found[found["bound"]], "GFLOP/s" if found["bound"] == "gflops" else "GB/s"
    return f"{rate:.0f} of {rate / found['fraction']:.0f} {unit}, {found['fraction']:.0%}"


def _compare(item: Workload, runs: Runs, limits: roofline.Roofline | None) -> dict[str, Any]:
    """A workload's record; prints its row."""
    _check_agreement(item.name, runs)
    times, (theirs, mine) = _medians(runs)
    attained = _attainment(item.cost, mine, limits)
    cells = [_duration(theirs), _spread(times[0]), _duration(mine), _spread(times[1])]
    print(_row(item.title, [*cells, f"{theirs / mine:.2f}", _note(attained)]), flush=True)
    return {
        "name": item.name,
        "title": item.title,
        "seconds": dict(zip(runs, times)),
        "ratio": theirs / mine,
        **attained,
    }


def _geomeans(records: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By group: how many workloads, the geometric mean of their ratios, and the least."""
    groups: dict[str, list[float]] = {}
    for record in records:
        for group in WORKLOADS[record["name"]].groups():
            groups.setdefault(group, []).append(record["ratio"])
    return {
        group: {"count": len(ratios), "geomean": statistics.geometric_mean(ratios), "least": min(ratios)}
        for group, ratios in groups.items()
        if len(ratios) > 1
    }


def _compare_suites(
    items: list[Workload], options: argparse.Namespace, limits: roofline.Roofline | None
) -> list[dict[str, Any]]:
    records = []
    for suite in dict.fromkeys(item.suite for item in items):
        members = [item for item in items if item.suite == suite]
        print(f"\n{suite}", flush=True)
        found = _rounds([item.name for item in members], options)
        records += [_compare(item, runs, limits) for item, runs in zip(members, found)]
    return records


def _compare_import(options: argparse.Namespace) -> list[str]:
    (found,) = _rounds(["import"], options)
    rows = []
    for title, key, show in (
        ("import", "seconds", _duration),
        ("resident memory after import", "resident", lambda value: f"{value:.0f} MB"),
    ):
        values, (theirs, mine) = _medians(found, key)
        cells = [show(theirs), _spread(values[0]), show(mine), _spread(values[1])]
        rows.append(_row(title, [*cells, f"{theirs / mine:.2f}", ""]))
    return rows


def _installed(backend: str) -> float:
    """Megabytes of the package's own files."""
    spec = importlib.util.find_spec(backend)
    folder = Path(spec.origin).parent
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in files) / 1e6


def _sizes() -> list[str]:
    theirs, mine = (_installed(backend) for backend in ("torch", "rushlight"))
    rows = [
        _row("installed size", [f"{theirs:.0f} MB", "", f"{mine:.1f} MB", "", f"{theirs / mine:.0f}", ""])
    ]
    wheels = sorted(Path("dist").glob("rushlight-*.whl"), key=lambda path: path.stat().st_mtime)
    if wheels:
        size = wheels[-1].stat().st_size / 1e6
        rows.append(_row("wheel size", ["", "", f"{size:.2f} MB", "", "", wheels[-1].name]))
    return rows


def _arguments() -> argparse.Namespace:
    suites = list(dict.fromkeys(item.suite for item in WORKLOADS.values()))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="also: import, size; everything by default")
    parser.add_argument("--suite", action="append", default=[], choices=suites)
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each")
    parser.add_argument("--seconds", type=float, default=0.3, help="for the timing of a workload in a round")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor: for a busy machine, one thread",
    )
    parser.add_argument("--scaling", action="store_true", help="compare Rushlight with itself on one thread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    if options.clock == "processor" and options.threads != 1:
        parser.error("--clock processor needs --threads 1: it adds up the time of all threads")
    options.names += options.suite
    for name in options.names:
        if name not in APART and not select([name]):
            parser.error(f"no workload is named {name}")
    return options


def _limits(items: list[Workload], threads: int) -> roofline.Roofline | None:
    """Of this machine, where an item has a cost and a compiler is at hand."""
    if not any(item.cost.operations or item.cost.read or item.cost.written for item in items):
        return None
    try:
        return roofline.measure(threads)
    except (OSError, subprocess.CalledProcessError):
        return None


def main() -> None:
    """Print the table suite by suite, then the geometric means."""
    load()
    options = _arguments()
    patterns = [name for name in options.names if name not in APART]
    items = select(patterns) if patterns or not options.names else []
    if options.list:
        print("\n".join(item.name for item in items))
        return
    limits = _limits(items, options.threads)
    peak = f", peak {limits.peak['float32'] / 1e9:.0f} GFLOP/s" if limits else ""
    print(f"threads {options.threads}, rounds {options.rounds}, {options.clock} time{peak}")
    first, second = (title for title, _, _ in _contestants(options))
    print(_row("workload", [first, "+-", second, "+-", "ratio", ""]), flush=True)
    records = _compare_suites(items, options, limits)
    for name, rows in (("import", lambda: _compare_import(options)), ("size", _sizes)):
        if name in options.names or not options.names:
            print("\n".join(rows()), flush=True)
    geomeans = _geomeans(records)
    if geomeans:
        print(f"\n{'geometric means of the ratios':<58} {'of':>5} {'mean':>6} {'least':>6}")
    for group, found in geomeans.items():
        print(f"{group:<58} {found['count']:>5} {found['geomean']:>6.2f} {found['least']:>6.2f}")
    if options.json:
        written = {"threads": options.threads, "rounds": options.rounds, "clock": options.clock}
        written |= {"peak": dict(limits.peak), "bandwidth": dict(limits.bandwidth)} if limits else {}
        options.json.write_text(json.dumps({**written, "workloads": records, "geomeans": geomeans}, indent=1))


if __name__ == "__main__":
    main()
