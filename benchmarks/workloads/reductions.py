"""Reductions, scans and sorts: over everything, over rows, over columns and over several dimensions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from benchmarks.workload import Cost, Step, enter

_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "int64": 8, "int32": 4, "uint8": 1, "bool": 1}


def _reduction(
    name: str,
    shape: tuple[int, ...],
    call: Callable[[Any, Any], Any],
    dtype: str = "float32",
    written: float = 0.0,
) -> None:
    """Enter call(torch, x) of a random array; `written` are the results' bytes where they count."""

    def prepare(torch: Any, first: int) -> Step:
        torch.manual_seed(0)
        x = (torch.rand(first, *shape[1:]) * 100).to(getattr(torch, dtype))
        return lambda: call(torch, x)

    title = f"{name.rpartition('/')[2]}, {' x '.join(map(str, shape))}" + (
        "" if dtype == "float32" else f" {dtype}"
    )
    cost = Cost(read=float(_BYTES[dtype] * prod(shape)), written=written)
    enter(f"reductions/{name}", title, prepare, cost=cost, first=shape[0])


_LARGE, _MEDIUM, _SQUARE = (1 << 24,), (1 << 20,), (1024, 1024)

for _suffix, _shape in (("16m", _LARGE), ("1m", _MEDIUM)):
    _reduction(f"all/sum-{_suffix}", _shape, lambda torch, x: x.sum())
    _reduction(f"all/mean-{_suffix}", _shape, lambda torch, x: x.mean())
    _reduction(f"all/maximum-{_suffix}", _shape, lambda torch, x: x.max())
    _reduction(f"all/norm-{_suffix}", _shape, lambda torch, x: x.norm())
    _reduction(f"all/variance-{_suffix}", _shape, lambda torch, x: x.var())
_reduction("all/argmax-1m", _MEDIUM, lambda torch, x: x.argmax())
_reduction("all/product-1m", _MEDIUM, lambda torch, x: x.prod())
_reduction("all/sum-float64", _MEDIUM, lambda torch, x: x.sum(), "float64")
_reduction("all/sum-bfloat16", _MEDIUM, lambda torch, x: x.sum(), "bfloat16")
_reduction("all/sum-int64", _MEDIUM, lambda torch, x: x.sum(), "int64")
_reduction("all/any-bool", _MEDIUM, lambda torch, x: (~x).any(), "bool")
for _direction, _dim in (("rows", 1), ("columns", 0)):
    _reduction(f"{_direction}/sum", _SQUARE, lambda torch, x, dim=_dim: x.sum(dim))
    _reduction(f"{_direction}/mean", _SQUARE, lambda torch, x, dim=_dim: x.mean(dim))
    _reduction(f"{_direction}/maximum", _SQUARE, lambda torch, x, dim=_dim: x.amax(dim))
    _reduction(f"{_direction}/max-index", _SQUARE, lambda torch, x, dim=_dim: x.max(dim)[1])
    _reduction(f"{_direction}/argmax", _SQUARE, lambda torch, x, dim=_dim: x.argmax(dim))
    _reduction(f"{_direction}/variance", _SQUARE, lambda torch, x, dim=_dim: x.var(dim))
    _reduction(f"{_direction}/norm", _SQUARE, lambda torch, x, dim=_dim: x.norm(dim=dim))
    _reduction(f"{_direction}/logsumexp", _SQUARE, lambda torch, x, dim=_dim: x.logsumexp(dim))
    _reduction(
        f"{_direction}/cumsum", _SQUARE, lambda torch, x, dim=_dim: x.cumsum(dim), written=4.0 * (1 << 20)
    )
_reduction("shapes/narrow-rows", (1 << 18, 4), lambda torch, x: x.sum(1))
_reduction("shapes/narrow-columns", (1 << 18, 4), lambda torch, x: x.sum(0))
_reduction("shapes/long-rows", (4, 1 << 18), lambda torch, x: x.sum(1))
_reduction("shapes/long-columns", (4, 1 << 18), lambda torch, x: x.sum(0))
_reduction("shapes/channels", (8, 64, 56, 56), lambda torch, x: x.sum((0, 2, 3)))
_reduction("shapes/images", (8, 64, 56, 56), lambda torch, x: x.mean((2, 3)))
_reduction("shapes/middle", (64, 128, 128), lambda torch, x: x.sum(1))
_reduction("shapes/outer-inner", (64, 128, 128), lambda torch, x: x.sum((0, 2)))
_reduction("shapes/transposed", _SQUARE, lambda torch, x: x.t().sum(1))
_reduction("types/maximum-uint8", _MEDIUM, lambda torch, x: x.max(), "uint8")
_reduction("types/maximum-rows-int32", _SQUARE, lambda torch, x: x.amax(1), "int32")
_reduction("types/maximum-bfloat16", _MEDIUM, lambda torch, x: x.max(), "bfloat16")
_reduction("types/norm-bfloat16", _MEDIUM, lambda torch, x: x.norm(), "bfloat16")
_reduction("types/all-bool", _MEDIUM, lambda torch, x: x.all(), "bool")
_reduction("types/count-bool", _MEDIUM, lambda torch, x: x.count_nonzero(), "bool")
_reduction("types/sum-columns-bool", _SQUARE, lambda torch, x: x.sum(0), "bool")
_reduction("types/nansum", _MEDIUM, lambda torch, x: x.nansum())
_reduction("shapes/short-rows", (1 << 14, 65), lambda torch, x: x.sum(1))
_reduction("shapes/short-rows-maximum", (1 << 14, 65), lambda torch, x: x.amax(1))
_reduction("shapes/short-rows-argmax", (1 << 14, 65), lambda torch, x: x.argmax(1))
_reduction("shapes/narrow-columns-max", (1 << 17, 8), lambda torch, x: x.max(0)[1])
_reduction("shapes/trailing-int64", (1 << 14, 8, 8), lambda torch, x: x.sum((1, 2)), "int64")
_reduction("shapes/eights-float64", (1 << 17, 8), lambda torch, x: x.prod(1), "float64")
_reduction("shapes/eights-bool", (1 << 17, 8), lambda torch, x: x.prod(1), "bool")
_reduction("shapes/eights-diff", (1 << 17, 8), lambda torch, x: x.diff(dim=1), written=3.5 * (1 << 20))
_reduction("shapes/eights-flip", (1 << 17, 8), lambda torch, x: x.flip(1), written=4.0 * (1 << 20))
_reduction("shapes/strided", (1024, 2048), lambda torch, x: x[:, ::2].sum(1))
_reduction("shapes/variance-columns-16m", (4096, 4096), lambda torch, x: x.var(0))
_reduction("scans/cumsum-int64", _MEDIUM, lambda torch, x: x.cumsum(0), "int64", written=8.0 * (1 << 20))
_reduction("scans/cumsum-bool", _MEDIUM, lambda torch, x: x.cumsum(0), "bool", written=8.0 * (1 << 20))
_reduction("scans/cumsum-bfloat16", _SQUARE, lambda torch, x: x.cumsum(1), "bfloat16", 2.0 * (1 << 20))
_reduction("scans/cumsum-short", (1 << 17, 8), lambda torch, x: x.cumsum(1), written=4.0 * (1 << 20))
_reduction("scans/cummax-1m", _MEDIUM, lambda torch, x: x.cummax(0)[0], written=12.0 * (1 << 20))
_reduction("scans/cumsum-1m", _MEDIUM, lambda torch, x: x.cumsum(0), written=4.0 * (1 << 20))
_reduction("scans/cumprod-rows", _SQUARE, lambda torch, x: x.cumprod(1), written=4.0 * (1 << 20))
_reduction("sorts/sort-1m", _MEDIUM, lambda torch, x: x.sort()[0])
_reduction("sorts/sort-rows", _SQUARE, lambda torch, x: x.sort(1)[0])
_reduction("sorts/argsort-rows", (256, 256), lambda torch, x: x.argsort(1))
_reduction("sorts/sort-int64", (1 << 18,), lambda torch, x: x.sort()[0], "int64")
_reduction("sorts/topk-1m", _MEDIUM, lambda torch, x: x.topk(10)[0])
_reduction("sorts/topk-rows", _SQUARE, lambda torch, x: x.topk(10)[0])
_reduction("sorts/topk-short", (1 << 14, 64), lambda torch, x: x.topk(2)[0])
_reduction("sorts/median-rows", _SQUARE, lambda torch, x: x.median(1)[0])
_reduction("sorts/unique", (1 << 18,), lambda torch, x: x.unique(), "int64")
_reduction(
    "sorts/unique-consecutive", _MEDIUM, lambda torch, x: x.unique_consecutive(), written=4.0 * (1 << 20)
)
_reduction("gradients/sum-1m", _MEDIUM, lambda torch, x: _gradient(torch, x, lambda x: x.sum()))
_reduction("gradients/mean-rows", _SQUARE, lambda torch, x: _gradient(torch, x, lambda x: x.mean(1).sum()))
_reduction("gradients/variance-rows", _SQUARE, lambda torch, x: _gradient(torch, x, lambda x: x.var(1).sum()))


def _gradient(torch: Any, x: Any, call: Callable[[Any], Any]) -> Any:
    """Forward and backward."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(call(x), x)[0]
