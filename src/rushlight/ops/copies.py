"""Views made as copies (*_copy), and a source written through a view (*_scatter)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator, write_out

if TYPE_CHECKING:
    from rushlight import Tensor


def _copy(view: Any) -> Any:
    """A contiguous copy of a view, or of each of several."""
    if isinstance(view, rushlight.Tensor):
        return view.clone(memory_format=rushlight.contiguous_format)
    return tuple(_copy(item) for item in view)


@operator("alias_copy(Tensor self) -> Tensor", out=True)
def alias_copy(input: Tensor) -> Tensor:
    """A copy of the tensor.

    >>> rushlight.alias_copy(rushlight.ones(2))
    tensor([1., 1.])
    """
    return _copy(input)


@operator(
    "as_strided_copy(Tensor self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor",
    out=True,
)
def as_strided_copy(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy of what as_strided shows.

    >>> rushlight.as_strided_copy(rushlight.arange(4), (2,), (2,))
    tensor([0, 2])
    """
    return _copy(input.as_strided(size, stride, storage_offset))


@operator("diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", out=True)
def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of a diagonal.

    >>> rushlight.diagonal_copy(rushlight.eye(2))
    tensor([1., 1.])
    """
    return _copy(input.diagonal(offset, dim1, dim2))


@operator("expand_copy(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor", out=True)
def expand_copy(input: Tensor, size: Sequence[int], *, implicit: bool = False) -> Tensor:
    """The tensor repeated to a size, in memory of its own.

    >>> rushlight.expand_copy(rushlight.ones(1), (3,))
    tensor([1., 1., 1.])
    """
    return _copy(input.expand(size))


@operator("narrow_copy(Tensor self, int dim, SymInt start, SymInt length) -> Tensor", method=True, out=True)
def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """A copy of a range of one dimension.

    >>> rushlight.narrow_copy(rushlight.arange(4), 0, 1, 2)
    tensor([1, 2])
    """
    return _copy(input.narrow(dim, start, length))


@operator("permute_copy(Tensor self, int[] dims) -> Tensor", out=True)
def permute_copy(input: Tensor, dims: Sequence[int]) -> Tensor:
    """A copy with the dimensions reordered.

    >>> rushlight.permute_copy(rushlight.zeros(2, 3), (1, 0)).shape
    torch.Size([3, 2])
    """
    return _copy(input.permute(dims))


@operator("squeeze_copy(Tensor self, int[]? dim=None) -> Tensor", out=True)
def squeeze_copy(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """A copy without dimensions of size one.

    >>> rushlight.squeeze_copy(rushlight.zeros(1, 3)).shape
    torch.Size([3])
    """
    return _copy(input.squeeze() if dim is None else input.squeeze(dim))


@operator("t_copy(Tensor self) -> Tensor", out=True)
def t_copy(input: Tensor) -> Tensor:
    """A copy of the transpose.

    >>> rushlight.t_copy(rushlight.zeros(2, 3)).shape
    torch.Size([3, 2])
    """
    return _copy(input.t())


@operator("transpose_copy(Tensor self, int dim0, int dim1) -> Tensor", out=True)
def transpose_copy(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A copy with two dimensions swapped.

    >>> rushlight.transpose_copy(rushlight.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    return _copy(input.transpose(dim0, dim1))


@operator("unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor", out=True)
def unfold_copy(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A copy of the sliding windows of one dimension.

    >>> rushlight.unfold_copy(rushlight.arange(4), 0, 2, 2).tolist()
    [[0, 1], [2, 3]]
    """
    return _copy(input.unfold(dimension, size, step))


@operator("unsqueeze_copy(Tensor self, int dim) -> Tensor", out=True)
def unsqueeze_copy(input: Tensor, dim: int) -> Tensor:
    """A copy with a new dimension of size one.

    >>> rushlight.unsqueeze_copy(rushlight.zeros(3), 0).shape
    torch.Size([1, 3])
    """
    return _copy(input.unsqueeze(dim))


@operator("view_copy(Tensor self, SymInt[] size) -> Tensor", out=True)
def view_copy(input: Tensor, size: Any = None, *, dtype: Any = None) -> Tensor:
    """A copy of what view shows, in another shape or of another dtype.

    >>> rushlight.view_copy(rushlight.zeros(4), (2, 2)).shape
    torch.Size([2, 2])
    """
    return _copy(input.view(size if dtype is None else dtype))


def _list_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """out= of operators of several results, which return nothing then."""

    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if out is None:
            return result
        write_out([out] if isinstance(out, rushlight.Tensor) else out, result)
        return None

    return call


@operator("unbind_copy(Tensor self, int dim=0) -> Tensor[]")
@_list_out
def unbind_copy(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Copies of the slices along one dimension.

    >>> [item.tolist() for item in rushlight.unbind_copy(rushlight.eye(2))]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return _copy(input.unbind(dim))


@operator("split_with_sizes_copy(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]")
@_list_out
def split_with_sizes_copy(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Copies of the pieces of the given sizes.

    >>> [item.tolist() for item in rushlight.split_with_sizes_copy(rushlight.arange(3), [1, 2])]
    [[0], [1, 2]]
    """
    return _copy(input.split(list(split_sizes), dim))


def _scatter(input: Tensor, src: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of `input`, of its strides, with `src` written where `view` looks."""
    result = input.clone()
    target = view(result)
    if target.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(target.shape)}"
        )
    target.copy_(src)
    return result


@operator("select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor", method=True, out=True)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` in place of one slice.

    Raises:
        RuntimeError: where the shape of `src` is not the slice's.

    >>> rushlight.select_scatter(rushlight.zeros(2, 2), rushlight.ones(2), 0, 1).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    return _scatter(input, src, lambda copy: copy.select(dim, index))


@operator(
    "slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1)"
    " -> Tensor",
    method=True,
    out=True,
)
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy with `src` in place of a range of one dimension.

    Raises:
        RuntimeError: where the shape of `src` is not the range's.

    >>> rushlight.slice_scatter(rushlight.zeros(3), rushlight.ones(2), 0, 1)
    tensor([0., 1., 1.])
    """
    where = [slice(None)] * input.dim()
    where[dim] = slice(start, end, step)
    return _scatter(input, src, lambda copy: copy[tuple(where)])


@operator(
    "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    method=True,
    out=True,
)
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with `src` in place of a diagonal.

    Raises:
        RuntimeError: where the shape of `src` is not the diagonal's.

    >>> rushlight.diagonal_scatter(rushlight.zeros(2, 2), rushlight.ones(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return _scatter(input, src, lambda copy: copy.diagonal(offset, dim1, dim2))


@operator(
    "as_strided_scatter(Tensor self, Tensor src, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None)"
    " -> Tensor",
    method=True,
    out=True,
)
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy with `src` written where as_strided looks.

    Raises:
        RuntimeError: where the shape of `src` is not `size`.

    >>> rushlight.as_strided_scatter(rushlight.zeros(4), rushlight.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
    """
    return _scatter(input, src, lambda copy: copy.as_strided(size, stride, storage_offset))
