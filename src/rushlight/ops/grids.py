"""Grids and index arithmetic: meshgrid, combinations, unravel_index, broadcasting helpers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _unpack(tensors: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors, given as arguments or as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        return tuple(tensors[0])
    return tensors


@operator("meshgrid(Tensor[] tensors, *, str indexing) -> Tensor[]")
def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinate grids of vectors, as views: ``ij`` (matrix) or ``xy`` (Cartesian) order of the first two.

    Raises:
        RuntimeError: for another order, inputs of two dimensions or more, or of different dtypes.

    >>> x, y = rushlight.meshgrid(rushlight.arange(2), rushlight.arange(3), indexing="ij")
    >>> x.tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    vectors = list(_unpack(tensors))
    if not vectors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + str(indexing)
        )
    for vector in vectors:
        if vector.dim() > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: " + str(vector)
            )
        if vector.dtype != vectors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swapped = indexing == "xy" and len(vectors) > 1
    if swapped:
        vectors[:2] = vectors[1::-1]
    shape = [vector.numel() for vector in vectors]
    grids = []
    for axis, vector in enumerate(vectors):
        ones = [1] * len(shape)
        ones[axis] = shape[axis]
        grids.append(vector.reshape(ones).expand(shape))
    if swapped:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@operator("cartesian_prod(Tensor[] tensors) -> Tensor")
def cartesian_prod(*tensors: Tensor | Sequence[Tensor]) -> Tensor:
    """Every combination of one element of each vector, as rows.

    Raises:
        RuntimeError: for an input that is not a vector.

    >>> rushlight.cartesian_prod(rushlight.arange(2), rushlight.arange(2)).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    vectors = _unpack(tensors)
    for vector in vectors:
        if vector.dim() != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(vector.shape)}")
    if len(vectors) == 1:
        return vectors[0]
    return rushlight.stack([grid.flatten() for grid in meshgrid(*vectors, indexing="ij")], 1)


@operator("combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor")
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """The combinations of `r` elements of a vector in the order of itertools, as rows.

    Raises:
        RuntimeError: for an input that is not a vector, or a negative `r`.

    >>> rushlight.combinations(rushlight.tensor([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    if input.dim() != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    axes = meshgrid(*[rushlight.arange(input.numel())] * r, indexing="ij")
    grids = meshgrid(*[input] * r, indexing="ij")
    mask = rushlight.ones_like(axes[0], dtype=rushlight.bool)
    for first, second in zip(axes, axes[1:]):
        mask = mask & (first <= second if with_replacement else first < second)
    return rushlight.stack([grid.masked_select(mask) for grid in grids], 1)


@operator("broadcast_shapes(SymInt[][] shapes) -> SymInt[]")
def broadcast_shapes(*shapes: int | Sequence[int]) -> Any:
    """The shape that tensors of the given shapes have together.

    Raises:
        RuntimeError: where the shapes do not broadcast, or a size is negative.

    >>> rushlight.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    tuples = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    result = [1] * max((len(shape) for shape in tuples), default=0)
    for shape in tuples:
        for index in range(-1, -1 - len(shape), -1):
            size = shape[index]
            if size < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({size}): ({size})")
            if size == 1 or size == result[index]:
                continue
            if result[index] != 1:
                raise RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape")
            result[index] = size
    return rushlight.Size(result)


@operator("broadcast_tensors(Tensor[] tensors) -> Tensor[]")
def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of the tensors, expanded to their common shape.

    >>> a, b = rushlight.broadcast_tensors(rushlight.zeros(2, 1), rushlight.zeros(3))
    >>> a.shape
    torch.Size([2, 3])
    """
    given = _unpack(tensors)
    shape: list[int] = []
    for tensor in given:
        shape = _broadcast_pair(shape, list(tensor.shape))
    return tuple(tensor.expand(shape) for tensor in given)


def _broadcast_pair(first: list[int], second: list[int]) -> list[int]:
    rank = max(len(first), len(second))
    first = [1] * (rank - len(first)) + first
    second = [1] * (rank - len(second)) + second
    for axis, (a, b) in enumerate(zip(first, second)):
        if a != b and 1 not in (a, b):
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton "
                f"dimension {axis}"
            )
    return [b if a == 1 else a for a, b in zip(first, second)]


@operator("unravel_index(Tensor indices, SymInt[] shape) -> Tensor[]")
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The coordinates of flat indices in a tensor of the given shape, one tensor a dimension.

    Raises:
        TypeError: for indices that are not integers.
        ValueError: for a negative size.

    >>> [axis.tolist() for axis in rushlight.unravel_index(rushlight.tensor([3, 4]), (2, 3))]
    [[1, 1], [0, 1]]
    """
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == rushlight.bool:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    coordinates = []
    for size in reversed(sizes):
        coordinates.append(indices % size)
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(coordinates))


@operator("vander(Tensor x, int? N=None, bool increasing=False) -> Tensor")
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803
    """The Vandermonde matrix of a vector: its powers as columns, falling unless `increasing`.

    Raises:
        RuntimeError: for an input that is not a vector, or a negative number of columns.

    >>> rushlight.vander(rushlight.tensor([1, 2, 3])).tolist()
    [[1, 1, 1], [4, 2, 1], [9, 3, 1]]
    """
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    columns = x.numel() if N is None else N
    if columns < 0:
        raise RuntimeError("N must be non-negative.")
    dtype = x.dtype if x.is_floating_point() or x.is_complex() else rushlight.int64
    powers = [rushlight.ones_like(x, dtype=dtype)]
    for _ in range(columns - 1):
        powers.append(powers[-1] * x)
    if not increasing:
        powers = powers[:columns][::-1]
    return rushlight.stack(powers[:columns], -1) if columns else x.new_empty((x.numel(), 0), dtype=dtype)
