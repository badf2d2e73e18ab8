"""What a workload is: a step to time, what the step costs the hardware, and the table of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Step = Callable[[], Any]


@dataclass(frozen=True)
class Cost:
    """What a step must at least do: operations in an arithmetic, bytes read from and written to memory."""

    operations: float = 0.0
    read: float = 0.0
    written: float = 0.0
    arithmetic: str = "float32"  # of the multiply-adds: float32, float64 or bfloat16


@dataclass(frozen=True)
class Workload:
    """What is timed: `prepare(torch, **sizes)` gives the step.

    `name` is a path, suite first, group by group: "gemm/square/512". `sizes` are those that a test may reduce.
    A `model` is a whole program, whose step returns a loss (or an output) that both backends must agree on.
    """

    name: str
    title: str
    prepare: Callable[..., Step]
    cost: Cost = Cost()
    sizes: Mapping[str, int] = field(default_factory=dict)
    model: bool = False

    @property
    def suite(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    def groups(self) -> list[str]:
        """The paths that the workload lies under, the suite first."""
        parts = self.name.split("/")[:-1]
        return ["/".join(parts[: count + 1]) for count in range(len(parts))]

    def step(self, torch: Any, at_most: int | None = None) -> Step:
        """The step, with no size above `at_most`."""
        sizes = {name: min(size, at_most or size) for name, size in self.sizes.items()}
        return self.prepare(torch, **sizes)


WORKLOADS: dict[str, Workload] = {}


def enter(
    name: str,
    title: str,
    prepare: Callable[..., Step],
    *,
    cost: Cost = Cost(),
    model: bool = False,
    **sizes: int,
) -> None:
    """Enter a workload into the table."""
    if name in WORKLOADS:
        raise ValueError(f"two workloads are named {name}")
    WORKLOADS[name] = Workload(name, title, prepare, cost, sizes, model)


def select(patterns: list[str]) -> list[Workload]:
    """The workloads whose name matches a pattern (`*` and `?`) or lies under it; all where there is none."""
    if not patterns:
        return list(WORKLOADS.values())

    def matches(name: str) -> bool:
        return any(fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}/*") for pattern in patterns)

    return [item for name, item in WORKLOADS.items() if matches(name)]


def load() -> None:
    """Fill the table: each module of workloads enters its own."""
    importlib.import_module("benchmarks.workloads")
