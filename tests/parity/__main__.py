"""python -m tests.parity: compare every op_db entry and print the table and the share that passes."""

from __future__ import annotations

import argparse
import re
import sys

from .process import Report, reports
from .worklist import DTYPES, entries

_SHORT = {
    "float32": "f32",
    "float64": "f64",
    "int64": "i64",
    "bool": "bool",
    "complex64": "c64",
    "bfloat16": "bf16",
}
_MARK = {True: "+", False: "x", None: "."}


def _columns(report: Report) -> str:
    found = {outcome.dtype: outcome for outcome in report.outcomes}
    cells = []
    for dtype in DTYPES:
        name = str(dtype).removeprefix("torch.")
        outcome = found.get(name)
        marks = f"{_MARK[outcome.forward]}{_MARK[outcome.grad]}" if outcome else "  "
        cells.append(f"{marks:>4}")
    return " ".join(cells)


def _line(report: Report, width: int) -> str:
    exists = "yes" if report.exists else "no"
    return f"{report.name:<52} {exists:<6} {_columns(report)}  {report.message[:width]}".rstrip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression that names must match")
    parser.add_argument("--jobs", type=int, default=2, help="entries compared at once")
    parser.add_argument("--failures", action="store_true", help="print only entries that exist and fail")
    parser.add_argument("--missing", action="store_true", help="print only entries that do not exist")
    parser.add_argument("--cap", type=int, default=None, help="samples of an entry and dtype (all)")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds an entry may take")
    parser.add_argument("--second", action="store_true", help="check second gradients too")
    parser.add_argument("--width", type=int, default=150, help="characters of a message shown")
    parser.add_argument("--slowest", type=int, default=0, help="print so many of the slowest entries")
    return parser.parse_args()


def main() -> int:
    """Print the table; 1 if an operator that exists differs from PyTorch's."""
    options = _arguments()
    heading = " ".join(f"{_SHORT[str(dtype).removeprefix('torch.')]:>4}" for dtype in DTYPES)
    print(f"{'entry':<52} {'exists':<6} {heading}  first failure")
    done: list[Report] = []
    names = [name for name in entries() if re.search(options.only, name)]
    for report in reports(names, options.jobs, options.cap, options.second, options.limit):
        done.append(report)
        failed = report.fails
        shown = not (options.failures or options.missing)
        if shown or (options.failures and failed) or (options.missing and not report.exists):
            print(_line(report, options.width), flush=True)
    passing = sum(report.passes for report in done)
    existing = sum(report.exists for report in done)
    failing = sum(report.fails for report in done)
    for report in sorted(done, key=lambda item: -item.seconds)[: options.slowest]:
        print(f"{report.seconds:8.1f} s  {report.name}")
    print(
        f"{passing} of {len(done)} entries pass wholly ({passing / max(len(done), 1):.1%}); "
        f"{existing} exist, {failing} of them fail, {existing - passing - failing} left out"
    )
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
