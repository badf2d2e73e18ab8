"""Random numbers: the same ones on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workload import Cost, Step, enter


def _random(name: str, length: int, call: Callable[[Any, int], Any], size: int = 4) -> None:
    def prepare(torch: Any, length: int) -> Step:
        torch.manual_seed(0)
        return lambda: call(torch, length)

    enter(
        f"random/{name}",
        f"{name}, {length} elements",
        prepare,
        cost=Cost(written=float(size * length)),
        length=length,
    )


for _suffix, _length in (("16m", 1 << 24), ("1m", 1 << 20), ("1k", 1 << 10)):
    _random(f"randn/{_suffix}", _length, lambda torch, length: torch.randn(length))
    _random(f"rand/{_suffix}", _length, lambda torch, length: torch.rand(length))
_random("randint/1m", 1 << 20, lambda torch, length: torch.randint(0, 1000, (length,)), 8)
_random("randperm/1m", 1 << 20, lambda torch, length: torch.randperm(length), 8)
_random("bernoulli/1m", 1 << 20, lambda torch, length: torch.empty(length).bernoulli_(0.5))
_random("normal-float64/1m", 1 << 20, lambda torch, length: torch.randn(length, dtype=torch.float64), 8)
_random("exponential/1m", 1 << 20, lambda torch, length: torch.empty(length).exponential_())
_random(
    "multinomial/1k",
    1 << 10,
    lambda torch, length: torch.ones(length).multinomial(length, replacement=True),
    8,
)
