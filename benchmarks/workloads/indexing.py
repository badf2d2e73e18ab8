"""Reading and writing by index: gather, scatter, selection, embedding and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workload import Cost, Step, enter


def _indexed(
    name: str,
    shape: tuple[int, int],
    indices: tuple[int, ...],
    call: Callable[..., Any],
    read: float,
    written: float,
) -> None:
    """Enter call(torch, x, index, y): x of a shape, indices of its first dimension, y as rows that they select.

    `read` and `written` are bytes.
    """

    def prepare(torch: Any, rows: int, count: int) -> Step:
        torch.manual_seed(0)
        x, index = torch.rand(rows, shape[1]), torch.randint(0, rows, (count, *indices[1:]))
        y = torch.rand(count, shape[1])
        return lambda: call(torch, x, index, y)

    title = f"{name}, {indices} of {shape[0]} x {shape[1]}"
    enter(
        f"indexing/{name}",
        title,
        prepare,
        cost=Cost(read=read, written=written),
        rows=shape[0],
        count=indices[0],
    )


_ROWS, _WIDE = 1024, 1024
_ALL = float(_ROWS * _WIDE)
_FULL = (_ROWS, _WIDE)

_indexed("gather/columns", _FULL, _FULL, lambda torch, x, i, y: x.gather(0, i), 12 * _ALL, 4 * _ALL)
_indexed("gather/take-rows", _FULL, (_ROWS,), lambda torch, x, i, y: x[i], 4 * _ALL, 4 * _ALL)
_indexed(
    "gather/index-select", _FULL, (_ROWS,), lambda torch, x, i, y: x.index_select(0, i), 4 * _ALL, 4 * _ALL
)
_indexed(
    "gather/take-columns", _FULL, (_ROWS,), lambda torch, x, i, y: x[:, i % x.shape[1]], 4 * _ALL, 4 * _ALL
)
_indexed(
    "gather/narrow-rows",
    (1 << 16, 4),
    (1 << 18,),
    lambda torch, x, i, y: x[i],
    6.0 * (1 << 20),
    4.0 * (1 << 20),
)
_indexed(
    "gather/select-short-rows",
    (1 << 17, 8),
    (1 << 17,),
    lambda torch, x, i, y: x.index_select(0, i),
    5.0 * (1 << 20),
    4.0 * (1 << 20),
)
_indexed(
    "gather/columns-of-eight",
    (1 << 17, 8),
    (1 << 17, 8),
    lambda torch, x, i, y: x.gather(1, i & 7),
    12.0 * (1 << 20),
    4.0 * (1 << 20),
)
_indexed("gather/masked-select", _FULL, (1,), lambda torch, x, i, y: x[x > 0.5], 4 * _ALL, 2 * _ALL)
_indexed("gather/nonzero", _FULL, (1,), lambda torch, x, i, y: (x > 0.9).nonzero(), 4 * _ALL, 1.6 * _ALL)
_indexed(
    "scatter/add",
    _FULL,
    _FULL,
    lambda torch, x, i, y: torch.zeros_like(x).scatter_add_(0, i, x),
    12 * _ALL,
    4 * _ALL,
)
_indexed(
    "scatter/copy",
    _FULL,
    _FULL,
    lambda torch, x, i, y: torch.zeros_like(x).scatter_(0, i, 1.0),
    8 * _ALL,
    4 * _ALL,
)
_indexed(
    "scatter/maximum",
    _FULL,
    _FULL,
    lambda torch, x, i, y: x.scatter_reduce(0, i, x, "amax"),
    16 * _ALL,
    4 * _ALL,
)
_indexed(
    "scatter/index-add", _FULL, (_ROWS,), lambda torch, x, i, y: x.index_add(0, i, y), 8 * _ALL, 4 * _ALL
)
_indexed(
    "scatter/put-rows", _FULL, (_ROWS,), lambda torch, x, i, y: x.index_put((i,), y, accumulate=True), 8 * _ALL, 4 * _ALL
)  # fmt: skip


def _embedding(words: int, width: int, count: int) -> None:
    def forward(torch: Any, x: Any, index: Any, y: Any) -> Any:
        return torch.nn.functional.embedding(index, x)

    def both(torch: Any, x: Any, index: Any, y: Any) -> Any:
        weight = x.detach().requires_grad_()
        return torch.autograd.grad(torch.nn.functional.embedding(index, weight), weight, y)[0]

    moved = 4.0 * count * width
    _indexed(f"embedding/forward-{words}x{width}", (words, width), (count,), forward, moved, moved)
    _indexed(
        f"embedding/gradient-{words}x{width}",
        (words, width),
        (count,),
        both,
        2 * moved,
        moved + 4.0 * words * width,
    )


_embedding(65, 384, 1024)
_embedding(10_000, 200, 700)
_embedding(50_257, 768, 1024)
