"""Differences and integrals over samples: diff, gradient, the trapezoidal rule; integer and float pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _range(input: Tensor, dim: int, start: int | None, end: int | None) -> Tensor:
    where = [slice(None)] * input.dim()
    where[dim] = slice(start, end)
    return input[tuple(where)]


@operator(
    "diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor",
    method=True,
    out=True,
)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The differences of neighbours along a dimension, taken `n` times; exclusive or for bool.

    Raises:
        RuntimeError: for an input of no dimensions or a negative order.

    >>> rushlight.diff(rushlight.tensor([1, 3, 2]))
    tensor([ 2, -1])
    """
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return input.clone()
    if prepend is not None or append is not None:
        input = rushlight.cat([part for part in (prepend, input, append) if part is not None], dim)
    n = min(n, input.shape[dim])
    for _ in range(n):
        later, earlier = _range(input, dim, 1, None), _range(input, dim, None, -1)
        input = later.logical_xor(earlier) if input.dtype == rushlight.bool else later - earlier
    return input


def _spacings(input: Tensor, spacing: Any, dims: list[int]) -> list[Any]:
    """For each dimension its step, or its coordinates."""
    if spacing is None:
        return [1.0] * len(dims)
    if isinstance(spacing, (int, float, complex)):
        return [spacing] * len(dims)
    if isinstance(spacing, rushlight.Tensor):
        spacing = [spacing]
    if len(spacing) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or a list of length equal to "
            f"'self.dim() = {input.dim()}', since dim argument was not given, but got a list of length "
            f"{len(spacing)}"
        )
    return list(spacing)


def _even_gradient(input: Tensor, step: Any, dim: int, edge_order: int) -> Tensor:
    """Second-order central differences inside, one-sided ones of `edge_order` at both ends."""
    inside = (_range(input, dim, 2, None) - _range(input, dim, None, -2)) / (2 * step)
    first, second = _range(input, dim, 0, 1), _range(input, dim, 1, 2)
    last, before = _range(input, dim, -1, None), _range(input, dim, -2, -1)
    if edge_order == 1:
        ends = ((second - first) / step, (last - before) / step)
    else:
        third, earlier = _range(input, dim, 2, 3), _range(input, dim, -3, -2)
        ends = (
            (-1.5 * first + 2 * second - 0.5 * third) / step,
            (0.5 * earlier - 2 * before + 1.5 * last) / step,
        )
    return rushlight.cat([ends[0], inside, ends[1]], dim)


def _uneven_gradient(input: Tensor, coordinates: Tensor, dim: int, edge_order: int) -> Tensor:
    """The same over samples at given coordinates, by the slopes on both sides weighted with the steps."""
    shape = [1] * input.dim()
    shape[dim] = -1
    steps = diff(coordinates).reshape(shape)
    left, right = _range(steps, dim, None, -1), _range(steps, dim, 1, None)
    before = -right / (left * (left + right))
    middle = (right - left) / (left * right)
    after = left / (right * (left + right))
    inside = (
        before * _range(input, dim, None, -2)
        + middle * _range(input, dim, 1, -1)
        + after * _range(input, dim, 2, None)
    )
    slopes = diff(input, dim=dim) / steps
    first, last = _range(slopes, dim, None, 1), _range(slopes, dim, -1, None)
    if edge_order == 2:
        share = _range(left, dim, None, 1) / (_range(left, dim, None, 1) + _range(right, dim, None, 1))
        first = first + (first - _range(slopes, dim, 1, 2)) * share
        share = _range(right, dim, -1, None) / (_range(left, dim, -1, None) + _range(right, dim, -1, None))
        last = last + (last - _range(slopes, dim, -2, -1)) * share
    return rushlight.cat([first, inside, last], dim)


def _gradient(input: Tensor, spacing: Any, dim: int, edge_order: int) -> Tensor:
    if isinstance(spacing, rushlight.Tensor):
        return _uneven_gradient(input, spacing, dim, edge_order)
    return _even_gradient(input, spacing, dim, edge_order)


@operator(
    "gradient(Tensor self, *, Scalar? spacing=None, int[]? dim=None, int edge_order=1) -> Tensor[]",
    method=False,
)
def gradient(
    input: Tensor,
    *,
    spacing: Any = None,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> list[Tensor]:
    """The slope along each dimension, by second-order central differences.

    Args:
        spacing: one step for all dimensions, one a dimension, or the coordinates along each.
        edge_order: 1 or 2, the order of the one-sided differences at the ends.

    Raises:
        RuntimeError: for a spacing that does not fit, too few samples, or another edge order.

    >>> rushlight.gradient(rushlight.tensor([1.0, 2.0, 4.0]))[0]
    tensor([1.0000, 1.5000, 2.0000])
    """
    dims = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    for axis in dims:
        if not -input.dim() <= axis < input.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], "
                f"but got {axis})"
            )
    dims = [axis % input.dim() for axis in dims]
    for place, axis in enumerate(dims):
        if axis in dims[:place]:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    for axis in dims:
        if input.shape[axis] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    spacings = _spacings(input, spacing, dims)
    for step, axis in zip(spacings, dims):
        if isinstance(step, rushlight.Tensor) and step.dim() > 0 and step.numel() != input.shape[axis]:
            raise RuntimeError(
                "torch.gradient expected each element of spacing to have the same length as the "
                "corresponding dimension of self"
            )
    return [_gradient(input, step, axis, edge_order) for step, axis in zip(spacings, dims)]


def _areas(y: Tensor, x: Tensor | None, dx: float | None, dim: int) -> Tensor:
    """The trapezoids between neighbours, twice over."""
    sums = _range(y, dim, 1, None) + _range(y, dim, None, -1)
    if x is None:
        return sums * (1.0 if dx is None else dx)
    if x.dim() == 1 and y.dim() > 1:
        if x.numel() != y.shape[dim]:
            raise RuntimeError("trapezoid: There must be one `x` value for each sample point")
        shape = [1] * y.dim()
        shape[dim] = x.numel()
        x = x.reshape(shape)
    elif x.dim() < y.dim():
        x = x.reshape([1] * (y.dim() - x.dim()) + list(x.shape))
    return sums * (_range(x, dim, 1, None) - _range(x, dim, None, -1))


def _check_samples(name: str, y: Tensor, x: Tensor | None) -> None:
    if y.dtype == rushlight.bool or (x is not None and x.dtype == rushlight.bool):
        raise RuntimeError(f"{name}: received a bool input for `x` or `y`, but bool is not supported")


@operator("trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor")
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The integral along a dimension by the trapezoidal rule, at coordinates `x` or steps `dx`.

    >>> rushlight.trapezoid(rushlight.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    _check_samples("trapezoid", y, x)
    if y.shape[dim] == 0:
        return y.new_zeros([size for axis, size in enumerate(y.shape) if axis != dim % y.dim()])
    if x is None:
        ends = (y.select(dim, 0) + y.select(dim, -1)) * 0.5
        return (y.sum(dim) - ends) * (1.0 if dx is None else dx)
    return _areas(y, x, dx, dim).sum(dim) / 2.0


@operator("trapz(Tensor y, Tensor x, *, int dim=-1) -> Tensor")
def trapz(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """Another name of trapezoid.

    >>> rushlight.trapz(rushlight.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@operator("cumulative_trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor")
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The running integral along a dimension by the trapezoidal rule.

    >>> rushlight.cumulative_trapezoid(rushlight.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    _check_samples("cumulative_trapezoid", y, x)
    return _areas(y, x, dx, dim).cumsum(dim) / 2.0
