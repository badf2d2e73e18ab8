"""Operators that raise dimensions, join tensors and split them: atleast_*, *stack, *split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _each(tensors: tuple[Any, ...], raise_one: Any) -> Any:
    """Apply to one tensor, or to each of several given as arguments or as one sequence."""
    if len(tensors) == 1:
        if isinstance(tensors[0], rushlight.Tensor):
            return raise_one(tensors[0])
        tensors = tuple(tensors[0])
    return tuple(raise_one(tensor) for tensor in tensors)


def _raise_to_1d(tensor: Tensor) -> Tensor:
    return tensor.reshape(1) if tensor.dim() == 0 else tensor


def _raise_to_2d(tensor: Tensor) -> Tensor:
    if tensor.dim() == 0:
        return tensor.reshape(1, 1)
    return tensor.unsqueeze(0) if tensor.dim() == 1 else tensor


def _raise_to_3d(tensor: Tensor) -> Tensor:
    if tensor.dim() == 0:
        return tensor.reshape(1, 1, 1)
    if tensor.dim() == 1:
        return tensor.unsqueeze(0).unsqueeze(-1)
    return tensor.unsqueeze(-1) if tensor.dim() == 2 else tensor


@operator("atleast_1d(Tensor self) -> Tensor")
def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """A view of each tensor with at least one dimension.

    >>> rushlight.atleast_1d(rushlight.tensor(2.0)).shape
    torch.Size([1])
    """
    return _each(tensors, _raise_to_1d)


@operator("atleast_2d(Tensor self) -> Tensor")
def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """A view of each tensor with at least two dimensions, new ones in front.

    >>> rushlight.atleast_2d(rushlight.zeros(3)).shape
    torch.Size([1, 3])
    """
    return _each(tensors, _raise_to_2d)


@operator("atleast_3d(Tensor self) -> Tensor")
def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Any:
    """A view of each tensor with at least three dimensions; a vector's lies in the middle.

    >>> rushlight.atleast_3d(rushlight.zeros(3)).shape
    torch.Size([1, 3, 1])
    """
    return _each(tensors, _raise_to_3d)


def _not_empty(name: str, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if len(tensors) == 0:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tuple(tensors)


@operator("hstack(Tensor[] tensors) -> Tensor", out=True)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension, vectors along their only one.

    >>> rushlight.hstack([rushlight.zeros(2), rushlight.ones(1)])
    tensor([0., 0., 1.])
    """
    raised = [_raise_to_1d(tensor) for tensor in _not_empty("hstack", tensors)]
    return rushlight.cat(raised, 0 if raised[0].dim() == 1 else 1)


@operator("vstack(Tensor[] tensors) -> Tensor", out=True)
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the first dimension, vectors as rows.

    >>> rushlight.vstack([rushlight.zeros(2), rushlight.ones(2)]).shape
    torch.Size([2, 2])
    """
    return rushlight.cat([_raise_to_2d(tensor) for tensor in _not_empty("vstack", tensors)], 0)


@operator("dstack(Tensor[] tensors) -> Tensor", out=True)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the third dimension.

    >>> rushlight.dstack([rushlight.zeros(2), rushlight.ones(2)]).shape
    torch.Size([1, 2, 2])
    """
    return rushlight.cat([_raise_to_3d(tensor) for tensor in _not_empty("dstack", tensors)], 2)


@operator("column_stack(Tensor[] tensors) -> Tensor", out=True)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension, scalars and vectors as columns.

    >>> rushlight.column_stack([rushlight.zeros(2), rushlight.ones(2)]).shape
    torch.Size([2, 2])
    """
    columns = [
        tensor.reshape(tensor.numel(), 1) if tensor.dim() <= 1 else tensor
        for tensor in _not_empty("column_stack", tensors)
    ]
    return rushlight.cat(columns, 1)


@operator("row_stack(Tensor[] tensors) -> Tensor", out=True)
def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Another name of vstack.

    >>> rushlight.row_stack([rushlight.zeros(2), rushlight.ones(2)]).shape
    torch.Size([2, 2])
    """
    return vstack(tensors)


def _split_points(size: int, sections: Any) -> list[int]:
    """Where each piece but the first begins."""
    if isinstance(sections, rushlight.Tensor):
        if sections.dim() > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {sections.dim()} dims"
            )
        sections = sections.tolist()
    if not isinstance(sections, int):
        return list(sections)
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    length, longer = divmod(size, sections)
    return [index * length + min(index, longer) for index in range(1, sections)]


def _clip(point: int, size: int) -> int:
    return min(max(point + size if point < 0 else point, 0), size)


@operator("tensor_split(Tensor(a) self, SymInt[] indices, int dim=0) -> Tensor(a)[]", method=True)
def tensor_split(
    input: Tensor,
    indices_or_sections: int | Sequence[int] | Tensor | None = None,
    dim: int = 0,
    *,
    tensor_indices_or_sections: Tensor | None = None,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Split into views, at the given indices or into so many nearly equal sections, the longer ones first.

    Raises:
        RuntimeError: for a number of sections below one, or an input of no dimensions.

    >>> [len(part) for part in rushlight.tensor_split(rushlight.arange(7), 3)]
    [3, 2, 2]
    """
    given = (indices_or_sections, tensor_indices_or_sections, indices, sections)
    where = next(item for item in given if item is not None)
    if input.dim() == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    size = input.shape[dim]
    points = _split_points(size, where)
    starts = [0, *(_clip(point, size) for point in points)]
    ends = [*(_clip(point, size) for point in points), size]
    return tuple(
        input.narrow(dim, start, max(end - start, 0)) for start, end in zip(starts, ends, strict=True)
    )


def _split_evenly(name: str, input: Tensor, where: Any, dim: int) -> tuple[Tensor, ...]:
    if not isinstance(where, int) and not all(isinstance(item, int) for item in where):
        raise TypeError(f"{name}(): received an invalid combination of arguments.")
    if isinstance(where, int) and (where <= 0 or input.shape[dim] % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{input.shape[dim]} is not divisible by the split_size {where}!"
        )
    return tensor_split(input, where, dim)


@operator("hsplit(Tensor(a) self, int[] indices) -> Tensor(a)[]", method=True)
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the second dimension, a vector along its only one.

    Raises:
        RuntimeError: for an input of no dimensions, or sections that do not divide the size.

    >>> [part.tolist() for part in rushlight.hsplit(rushlight.arange(4), 2)]
    [[0, 1], [2, 3]]
    """
    if input.dim() < 1:
        raise RuntimeError(
            "torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!"
        )
    return _split_evenly("hsplit", input, indices_or_sections, 0 if input.dim() == 1 else 1)


@operator("vsplit(Tensor(a) self, int[] indices) -> Tensor(a)[]", method=True)
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the first dimension.

    Raises:
        RuntimeError: for an input of fewer than two dimensions, or sections that do not divide the size.

    >>> len(rushlight.vsplit(rushlight.zeros(4, 2), 2))
    2
    """
    if input.dim() < 2:
        raise RuntimeError(
            "torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with "
            f"{input.dim()} dimensions!"
        )
    return _split_evenly("vsplit", input, indices_or_sections, 0)


@operator("dsplit(Tensor(a) self, int[] indices) -> Tensor(a)[]", method=True)
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the third dimension.

    Raises:
        RuntimeError: for an input of fewer than three dimensions, or sections that do not divide the size.

    >>> len(rushlight.dsplit(rushlight.zeros(1, 2, 4), 2))
    2
    """
    if input.dim() < 3:
        raise RuntimeError(
            "torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with "
            f"{input.dim()} dimensions!"
        )
    return _split_evenly("dsplit", input, indices_or_sections, 2)


@operator("unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", method=True)
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """As chunk; the pieces' in-place changes are not tracked by the others in PyTorch, here they are.

    >>> len(rushlight.unsafe_chunk(rushlight.arange(6), 3))
    3
    """
    return tuple(input.chunk(chunks, dim))


@operator("unsafe_split(Tensor self, SymInt split_size, int dim=0) -> Tensor[]", method=True)
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """As split; the pieces' in-place changes are not tracked by the others in PyTorch, here they are.

    >>> len(rushlight.unsafe_split(rushlight.arange(6), 2))
    3
    """
    return tuple(input.split(split_size, dim))


@operator("block_diag(Tensor[] tensors) -> Tensor")
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given matrices on its diagonal and zeros elsewhere; vectors count as rows.

    Raises:
        RuntimeError: for a tensor of more than two dimensions.

    >>> rushlight.block_diag(rushlight.ones(1, 2), rushlight.tensor(3.0))
    tensor([[1., 1., 0.],
            [0., 0., 3.]])
    """
    for index, tensor in enumerate(tensors):
        if tensor.dim() > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{index} has {tensor.dim()} dimensions"
            )
    if not tensors:
        return rushlight.empty(1, 0)
    blocks = [_raise_to_2d(tensor) for tensor in tensors]
    dtype = blocks[0].dtype
    for block in blocks[1:]:
        dtype = rushlight.promote_types(dtype, block.dtype)
    width = sum(block.shape[1] for block in blocks)
    rows, start = [], 0
    for block in blocks:
        height, columns = block.shape
        left = block.new_zeros((height, start), dtype=dtype)
        right = block.new_zeros((height, width - start - columns), dtype=dtype)
        rows.append(rushlight.cat([left, block.to(dtype), right], 1))
        start += columns
    return rushlight.cat(rows, 0)
