"""The masked namespace: reductions and normalizations over the elements where a mask is true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor

Dims = int | Sequence[int] | None


def _dims(input: Tensor, dim: Dims) -> tuple[int, ...]:
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(input.dim()))
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    rank = max(input.dim(), 1)
    found = []
    for axis in given:
        if not -rank <= axis < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {axis})"
            )
        if axis % rank in found:
            raise RuntimeError(f"dim={axis % rank} appears multiple times in the list of dims")
        found.append(axis % rank)
    return tuple(sorted(found)) if input.dim() else ()


def _fill(input: Tensor, mask: Tensor | None, value: float | int | bool) -> Tensor:
    """`value` where the mask is false."""
    if mask is None:
        return input
    if mask.dim() > input.dim():
        raise IndexError(
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)"
        )
    mask = rushlight.broadcast_tensors(mask, input)[0].to(rushlight.bool)
    return rushlight.where(mask, input, rushlight.full((), value, dtype=input.dtype, device=input.device))


def _lowest(dtype: Any) -> Any:
    if dtype == rushlight.bool:
        return False
    return -math.inf if dtype.is_floating_point or dtype.is_complex else rushlight.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    if dtype == rushlight.bool:
        return True
    return math.inf if dtype.is_floating_point else rushlight.iinfo(dtype).max


def _is_whole(input: Tensor) -> bool:
    return not (input.is_floating_point() or input.is_complex())


def _summed(input: Tensor, dtype: Any) -> Any:
    """The dtype of a sum: int64 for integers."""
    return (rushlight.int64 if _is_whole(input) else input.dtype) if dtype is None else dtype


def _floating(input: Tensor, dtype: Any) -> Tensor:
    if dtype is not None:
        return input.to(dtype)
    return input.to(rushlight.float32) if _is_whole(input) else input


def _reduce_sum(input: Tensor, dims: tuple[int, ...], keepdim: bool, dtype: Any) -> Tensor:
    return input.sum(dims, keepdim, dtype=dtype) if dims else input.to(dtype).clone()


def _count(input: Tensor, dims: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    ones = _fill(rushlight.ones(input.shape, dtype=rushlight.int64, device=input.device), mask, 0)
    return _reduce_sum(ones, dims, keepdim, rushlight.int64)


@operator(
    "masked.sum(Tensor self, int[]? dim, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def sum(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:  # noqa: A001
    """The sum of the unmasked elements.

    >>> rushlight.masked.sum(rushlight.ones(2), 0, mask=rushlight.tensor([True, False]))
    tensor(1.)
    """
    return _reduce_sum(_fill(input, mask, 0), _dims(input, dim), bool(keepdim), _summed(input, dtype))


@operator(
    "masked.prod(Tensor self, int[]? dim, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def prod(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The product of the unmasked elements.

    >>> rushlight.masked.prod(rushlight.tensor([2.0, 3.0]), 0, mask=rushlight.tensor([True, False]))
    tensor(2.)
    """
    result = _fill(input, mask, 1).to(_summed(input, dtype))
    for axis in reversed(_dims(input, dim)):
        result = result.prod(axis, keepdim=bool(keepdim))
    return result


@operator("masked.cumsum(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor")
def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running sums of the unmasked elements.

    >>> rushlight.masked.cumsum(rushlight.ones(3), 0, mask=rushlight.tensor([True, False, True]))
    tensor([1., 1., 2.])
    """
    return _fill(input, mask, 0).to(_summed(input, dtype)).cumsum(dim)


@operator("masked.cumprod(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor")
def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running products of the unmasked elements.

    >>> rushlight.masked.cumprod(rushlight.full((3,), 2.0), 0, mask=rushlight.tensor([True, False, True]))
    tensor([2., 2., 4.])
    """
    return _fill(input, mask, 1).to(_summed(input, dtype)).cumprod(dim)


@operator(
    "masked.amax(Tensor self, int[]? dim, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def amax(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest unmasked element.

    >>> rushlight.masked.amax(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([True, False]))
    tensor(1.)
    """
    dtype = input.dtype if dtype is None else dtype
    filled = _fill(input, mask, _lowest(input.dtype))
    return filled.amax(_dims(input, dim), bool(keepdim)).to(dtype)


@operator(
    "masked.amin(Tensor self, int[]? dim, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def amin(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The smallest unmasked element.

    >>> rushlight.masked.amin(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([False, True]))
    tensor(2.)
    """
    dtype = input.dtype if dtype is None else dtype
    filled = _fill(input, mask, _highest(input.dtype))
    return filled.amin(_dims(input, dim), bool(keepdim)).to(dtype)


@operator(
    "masked.argmax(Tensor self, int? dim=None, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the largest unmasked element is.

    >>> rushlight.masked.argmax(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([True, False]))
    tensor(0.)
    """
    return (
        _fill(input, mask, _lowest(input.dtype))
        .argmax(dim, bool(keepdim))
        .to(input.dtype if dtype is None else dtype)
    )


@operator(
    "masked.argmin(Tensor self, int? dim=None, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the smallest unmasked element is.

    >>> rushlight.masked.argmin(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([False, True]))
    tensor(1.)
    """
    return (
        _fill(input, mask, _highest(input.dtype))
        .argmin(dim, bool(keepdim))
        .to(input.dtype if dtype is None else dtype)
    )


@operator(
    "masked.mean(Tensor self, int[]? dim=None, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def mean(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean of the unmasked elements; nan where there is none.

    >>> rushlight.masked.mean(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([True, False]))
    tensor(1.)
    """
    dims = _dims(input, dim)
    total = sum(input, dims, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _count(input, dims, bool(keepdim), mask)


@operator(
    "masked.median(Tensor self, int dim=-1, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The lower median of the unmasked elements; nan where there is none.

    Raises:
        ValueError: where an unmasked element is nan.

    >>> rushlight.masked.median(rushlight.tensor([1.0, 2.0]), 0, mask=rushlight.tensor([False, True]))
    tensor(2.)
    """
    values = _floating(input, dtype)
    if bool(_fill(values.detach(), mask, 0).isnan().any()):
        raise ValueError("masked median expected no nan values in the unmasked elements")
    return rushlight.nanmedian(_fill(values, mask, math.nan), dim, bool(keepdim))[0]


@operator(
    "masked.norm(Tensor self, float? ord=2, int[]? dim=None, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:  # noqa: A002
    """The vector norm of the unmasked elements.

    >>> rushlight.masked.norm(rushlight.tensor([3.0, 4.0]), 2, 0, mask=rushlight.tensor([True, False]))
    tensor(3.)
    """
    order = 2.0 if ord is None else ord
    values = _floating(input, dtype)
    filled = _fill(values, mask, math.inf if order < 0 else 0)
    return rushlight.linalg.vector_norm(filled, order, _dims(input, dim), bool(keepdim), dtype=dtype)


def _correction(unbiased: bool | None, correction: float | None) -> float:
    if unbiased is not None and correction is not None:
        raise RuntimeError("Only one of unbiased and correction may be given")
    return correction if correction is not None else 1 if unbiased is None else int(unbiased)


def _spread(
    input: Tensor,
    dim: Dims,
    correction: float,
    keepdim: bool | None,
    dtype: Any,
    mask: Tensor | None,
    root: bool,
) -> Tensor:
    values = _floating(input, dtype)
    dims = _dims(input, dim)
    count = _count(input, dims, True, mask)
    centre = _reduce_sum(_fill(values, mask, 0), dims, True, values.dtype) / count
    deviation = _fill(values - centre, mask, 0)
    squares = deviation * deviation.conj() if values.is_complex() else deviation * deviation
    total = _reduce_sum(squares, dims, bool(keepdim), squares.dtype)
    if not keepdim:
        count = count.reshape(total.shape)
    count = (count - correction).clamp(min=0)
    result = (total / count).to(values.dtype)
    return result.sqrt() if root else result


@operator(
    "masked.var(Tensor self, int[]? dim=None, bool? unbiased=None, *, Scalar? correction=None, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of the unmasked elements.

    >>> rushlight.masked.var(rushlight.tensor([1.0, 3.0, 9.0]), 0, mask=rushlight.tensor([True, True, False]))
    tensor(2.)
    """
    return _spread(input, dim, _correction(unbiased, correction), keepdim, dtype, mask, root=False)


@operator(
    "masked.std(Tensor self, int[]? dim=None, bool? unbiased=None, *, Scalar? correction=None, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The standard deviation of the unmasked elements.

    >>> rushlight.masked.std(rushlight.tensor([1.0, 1.0, 9.0]), 0, mask=rushlight.tensor([True, True, False]))
    tensor(0.)
    """
    return _spread(input, dim, _correction(unbiased, correction), keepdim, dtype, mask, root=True)


@operator("masked.softmax(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor")
def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Softmax over the unmasked elements.

    >>> rushlight.masked.softmax(rushlight.ones(3), 0, mask=rushlight.tensor([True, True, False]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    dtype = input.dtype if dtype is None else dtype
    return rushlight.softmax(_fill(input, mask, -math.inf), dim, dtype=dtype)


@operator("masked.log_softmax(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor")
def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of softmax over the unmasked elements.

    >>> rushlight.masked.log_softmax(rushlight.ones(1), 0)
    tensor([0.])
    """
    dtype = input.dtype if dtype is None else dtype
    return rushlight.log_softmax(_fill(input, mask, -math.inf), dim, dtype=dtype)


@operator("masked.softmin(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None) -> Tensor")
def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Softmax of the negated unmasked elements.

    >>> rushlight.masked.softmin(rushlight.ones(3), 0, mask=rushlight.tensor([True, True, False]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    dtype = input.dtype if dtype is None else dtype
    return rushlight.softmax(-_fill(input, mask, math.inf), dim, dtype=dtype)


@operator(
    "masked.normalize(Tensor self, float ord, int dim, *, float eps=1e-12, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:  # noqa: A002
    """The unmasked elements over their norm, which counts as at least `eps`.

    >>> rushlight.masked.normalize(rushlight.tensor([3.0, 4.0]), 2, 0)
    tensor([0.6000, 0.8000])
    """
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    floor = rushlight.maximum(size, rushlight.full((), eps, dtype=size.dtype, device=size.device))
    return _fill(_floating(input, dtype), mask, 0) / floor


@operator(
    "masked.logaddexp(Tensor self, Tensor other, *, ScalarType? dtype=None, Tensor? input_mask=None, Tensor? other_mask=None) -> Tensor"
)
def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """log(exp(input) + exp(other)), masked elements counting as minus infinity.

    >>> rushlight.masked.logaddexp(rushlight.zeros(1), rushlight.zeros(1))
    tensor([0.6931])
    """
    dtype = input.dtype if dtype is None else dtype
    filled = (_fill(input, input_mask, -math.inf), _fill(other, other_mask, -math.inf))
    return rushlight.logaddexp(*filled).to(dtype)


@operator(
    "masked.logsumexp(Tensor self, int[]? dim, *, bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None) -> Tensor"
)
def logsumexp(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The logarithm of the sum of the exponentials of the unmasked elements.

    >>> rushlight.masked.logsumexp(rushlight.zeros(2), 0)
    tensor(0.6931)
    """
    dtype = input.dtype if dtype is None else dtype
    filled = _fill(input, mask, _lowest(input.dtype))
    return rushlight.logsumexp(filled, _dims(input, dim), keepdim=keepdim).to(dtype)
