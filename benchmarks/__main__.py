"""python -m benchmarks [NAMES]: time PyTorch and Rushlight in turn and print the ratios."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.peak import fused_multiply_add_peak
from benchmarks.workloads import WORKLOADS

BACKENDS = ("torch", "rushlight")


def _run(backend: str, name: str, threads: int) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "benchmarks.worker", backend, name, str(threads)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{name} on {backend} failed:\n{found.stderr}")
    return json.loads(found.stdout.splitlines()[-1])


def _rounds(name: str, threads: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Fresh processes in turn: PyTorch, Rushlight, PyTorch, Rushlight, ..."""
    results: dict[str, list[dict[str, float]]] = {backend: [] for backend in BACKENDS}
    for _ in range(rounds):
        for backend in BACKENDS:
            results[backend].append(_run(backend, name, threads))
    return results


def _duration(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _spread(values: list[float]) -> str:
    """Half the range over the median."""
    return f"{(max(values) - min(values)) / 2 / statistics.median(values):4.0%}"


def _row(title: str, cells: list[str]) -> str:
    return f"{title:<60} {cells[0]:>10} {cells[1]:>5}  {cells[2]:>10} {cells[3]:>5}  {cells[4]:>6}  {cells[5]}".rstrip()


def _compare(name: str, threads: int, rounds: int, peak: float | None) -> str:
    item = WORKLOADS[name]
    found = _rounds(name, threads, rounds)
    times = {backend: [run["seconds"] for run in runs] for backend, runs in found.items()}
    theirs, mine = (statistics.median(times[backend]) for backend in BACKENDS)
    note = ""
    if item.operations:
        rates = [item.operations / seconds / 1e9 for seconds in (theirs, mine)]
        note = f"{rates[0]:.0f}, {rates[1]:.0f} GFLOP/s"
        if peak:
            note += f"; {rates[1] * 1e9 / peak:.0%} of the peak"
    cells = [_duration(theirs), _spread(times["torch"]), _duration(mine), _spread(times["rushlight"])]
    return _row(item.title, [*cells, f"{theirs / mine:.2f}", note])


def _compare_import(rounds: int) -> list[str]:
    found = _rounds("import", 1, rounds)
    rows = []
    for title, key, show in (
        ("import", "seconds", _duration),
        ("resident memory after import", "resident", lambda value: f"{value:.0f} MB"),
    ):
        values = {backend: [run[key] for run in runs] for backend, runs in found.items()}
        theirs, mine = (statistics.median(values[backend]) for backend in BACKENDS)
        cells = [show(theirs), _spread(values["torch"]), show(mine), _spread(values["rushlight"])]
        rows.append(_row(title, [*cells, f"{theirs / mine:.2f}", ""]))
    return rows


def _installed(backend: str) -> float:
    """Megabytes of the package's own files."""
    spec = importlib.util.find_spec(backend)
    folder = Path(spec.origin).parent
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in files) / 1e6


def _sizes() -> list[str]:
    theirs, mine = (_installed(backend) for backend in BACKENDS)
    rows = [
        _row("installed size", [f"{theirs:.0f} MB", "", f"{mine:.1f} MB", "", f"{theirs / mine:.0f}", ""])
    ]
    wheels = sorted(Path("dist").glob("rushlight-*.whl"), key=lambda path: path.stat().st_mtime)
    if wheels:
        size = wheels[-1].stat().st_size / 1e6
        rows.append(_row("wheel size", ["", "", f"{size:.2f} MB", "", "", wheels[-1].name]))
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(WORKLOADS)}, import, size; all by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each")
    options = parser.parse_args()
    unknown = set(options.names) - {*WORKLOADS, "import", "size"}
    if unknown:
        parser.error(f"no workload is named {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Print the table row by row."""
    options = _arguments()
    names = options.names or [*WORKLOADS, "import", "size"]
    peak = None
    if any(name in WORKLOADS and WORKLOADS[name].operations for name in names):
        peak = fused_multiply_add_peak(options.threads)
    print(
        f"threads {options.threads}, rounds {options.rounds}"
        + (f", peak {peak / 1e9:.0f} GFLOP/s" if peak else "")
    )
    print(_row("workload", ["PyTorch", "+-", "Rushlight", "+-", "ratio", ""]), flush=True)
    for name in names:
        if name == "import":
            rows = _compare_import(options.rounds)
        elif name == "size":
            rows = _sizes()
        else:
            rows = [_compare(name, options.threads, options.rounds, peak)]
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
