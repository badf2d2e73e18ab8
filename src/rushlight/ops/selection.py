"""Distinct elements and positions of nonzero elements: results whose number depends on the arguments."""

from __future__ import annotations

from typing import Any

from rushlight import _C, Tensor
from rushlight.ops.registry import operator


def _wanted(results: tuple[Tensor, ...], inverse: bool, counts: bool) -> Any:
    values, positions, numbers = results
    chosen = (values,) + (positions,) * inverse + (numbers,) * counts
    return chosen if len(chosen) > 1 else values


@operator(
    "unique(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Tensor",
    method=True,
)
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Distinct elements in order, or distinct slices along `dim` in lexical order.

    With `return_inverse` also the position of each element's value among them, with `return_counts` how often each
    occurs (both int64). A NaN is distinct from every other.

    >>> rushlight.unique(rushlight.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    if dim is None:
        results = _C._unique2(input, sorted, return_inverse, return_counts)
    else:
        results = _C.unique_dim(input, dim, sorted, return_inverse, return_counts)
    return _wanted(results, return_inverse, return_counts)


@operator(
    "unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> Tensor",
    method=True,
)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of each run of equal elements, or of equal slices along `dim`; other results as in `unique`.

    >>> rushlight.unique_consecutive(rushlight.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    results = _C._unique_consecutive(input, return_inverse, return_counts, dim)
    return _wanted(results, return_inverse, return_counts)


@operator("nonzero(Tensor self, *, bool as_tuple=False) -> Tensor", method=True, out=True)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Coordinates of the elements that are not zero, in order, as int64.

    A row for each element; with `as_tuple` a vector for each dimension instead, as indexing takes them.

    >>> rushlight.nonzero(rushlight.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return input.nonzero_numpy() if as_tuple else _C.nonzero(input)


@operator("nonzero_static(Tensor self, *, int size, int fill_value=-1) -> Tensor", method=True)
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """As `nonzero`, with exactly `size` rows: the first ones, or filled up with rows of `fill_value`.

    Raises RuntimeError for a negative size.

    >>> rushlight.nonzero_static(rushlight.tensor([0, 1]), size=2)
    tensor([[ 1],
            [-1]])
    """
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = _C.nonzero(input)[:size]
    missing = size - found.shape[0]
    return _C.cat([found, found.new_full((missing, input.dim()), fill_value)])
