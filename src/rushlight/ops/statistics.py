"""Statistics: cov, corrcoef, quantile, nanquantile, histc, histogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _check_dimensions(name: str, weights: Tensor) -> None:
    if weights.dim() > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions but got {weights.dim()}")


def _check_values(name: str, weights: Tensor, count: int) -> None:
    if weights.numel() != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input "
            f"but got {weights.numel()} != {count}"
        )
    if bool((weights < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@operator(
    "cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor",
    method=True,
)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariance matrix of variables in rows, observed in columns.

    Args:
        correction: subtracted from the number of observations that divides.
        fweights: how often each observation counts, integers.
        aweights: how much each observation weighs.

    Raises:
        RuntimeError: for an input of more than two dimensions, of bool, or weights that do not fit.

    >>> rushlight.cov(rushlight.tensor([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [[2.0, -2.0], [-2.0, 2.0]]
    """
    if input.dim() > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got {input.dim()}")
    if input.dtype == rushlight.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input.unsqueeze(0) if input.dim() == 1 else input.reshape(1, 1) if input.dim() == 0 else input
    count = rows.shape[1]
    if not rows.is_floating_point() and not rows.is_complex():
        rows = rows.to(rushlight.get_default_dtype())
    weights = None
    if fweights is not None:
        _check_dimensions("fweights", fweights)
        if fweights.is_floating_point() or fweights.is_complex() or fweights.dtype == rushlight.bool:
            raise RuntimeError(
                f"cov(): expected fweights to have integral dtype but got fweights with {fweights.dtype} dtype"
            )
        _check_values("fweights", fweights, count)
        weights = fweights
    if aweights is not None:
        _check_dimensions("aweights", aweights)
        if not aweights.is_floating_point():
            raise RuntimeError(
                "cov(): expected aweights to have floating point dtype but got aweights with "
                f"{aweights.dtype} dtype"
            )
        _check_values("aweights", aweights, count)
        weights = aweights if weights is None else weights * aweights
    total = count if weights is None else weights.sum()
    if weights is None:
        mean = rows.sum(1) / count
        norm: Any = max(count - correction, 0)
    else:
        mean = (rows * weights).sum(1) / total
        spent = 1 if aweights is None else (weights * aweights).sum() / total
        norm = (total - correction * spent).clamp(min=0)
    centred = rows - mean.unsqueeze(1)
    other = (centred if weights is None else centred * weights).mT.conj()
    dtype = rushlight.promote_types(centred.dtype, other.dtype)
    product = centred.to(dtype) @ other.to(dtype)
    result = product / (rushlight.tensor(norm) if isinstance(norm, int) else norm)
    return result.squeeze().to(dtype)


@operator("corrcoef(Tensor self) -> Tensor", method=True)
def corrcoef(input: Tensor) -> Tensor:
    """The correlation matrix of variables in rows, observed in columns.

    Raises:
        RuntimeError: for an input of more than two dimensions.

    >>> rushlight.corrcoef(rushlight.tensor([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    if input.dim() > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got {input.dim()}"
        )
    matrix = cov(input)
    if matrix.dim() == 0:
        return matrix / matrix
    deviations = rushlight.diagonal(matrix).sqrt()
    scaled = matrix / deviations.unsqueeze(1) / deviations.unsqueeze(0)
    if scaled.is_complex():
        return rushlight.complex(scaled.real.clamp(-1, 1), scaled.imag.clamp(-1, 1))
    return scaled.clamp(-1, 1)


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(name: str, input: Tensor, q: Tensor, interpolation: str) -> None:
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if q.dim() > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if input.dtype not in (rushlight.float32, rushlight.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if input.dtype != q.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    if bool(((q < 0) | (q > 1)).any()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    if not isinstance(q, rushlight.Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = rushlight.tensor(q, dtype=input.dtype, device=input.device)
    _check_quantile(name, input, q, interpolation)
    if dim is None:
        kept = [1] * input.dim()
        ordered = input.flatten().sort()[0]
    elif input.dim() == 0:
        kept = []
        ordered = input.reshape(1)
    else:
        kept = list(input.shape)
        kept[dim] = 1
        ordered = input.transpose(dim, -1).sort(-1)[0]
    size = ordered.shape[-1]
    missing = ordered.isnan()
    points = q.reshape(-1)
    if skip_nan:
        last = missing.logical_not().sum(-1, keepdim=True) - 1
        ranks = (last * points).masked_fill(last < 0, size - 1)
    else:
        ranks = points * (size - 1)
        ranks = ranks.expand(*ordered.shape[:-1], points.numel())
        ranks = ranks.masked_fill(missing.any(-1, keepdim=True), size - 1)
    if interpolation == "lower":
        ranks = ranks.floor()
    elif interpolation == "higher":
        ranks = ranks.ceil()
    elif interpolation == "nearest":
        ranks = ranks.round()
    below = ranks.to(rushlight.int64)
    values = ordered.gather(-1, below)
    if interpolation in ("linear", "midpoint"):
        weights = rushlight.full_like(ranks, 0.5) if interpolation == "midpoint" else ranks - below
        above = ordered.gather(-1, ranks.ceil().to(rushlight.int64))
        values = rushlight.lerp(values, above, weights.to(values.dtype))
    return _arrange(values, q, dim, keepdim, kept)


def _arrange(values: Tensor, q: Tensor, dim: int | None, keepdim: bool, kept: list[int]) -> Tensor:
    """Put the quantiles' dimension in front, or away where there is but one."""
    if q.dim() == 0:
        result = values.squeeze(-1)
        if keepdim:
            return (
                result.reshape(kept) if dim is None or not kept else result.unsqueeze(-1).transpose(dim, -1)
            )
        if dim is not None and kept:
            return result.unsqueeze(-1).transpose(dim, -1).squeeze(dim)
        return result
    front = values.movedim(-1, 0)
    if dim is None or not kept:
        return front.reshape([q.numel(), *kept]) if keepdim else front
    front = front.unsqueeze(-1)
    front = front.transpose(dim % len(kept) + 1, -1)
    return front if keepdim else front.squeeze(dim % len(kept) + 1)


@operator(
    "quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor",
    method=True,
    out=True,
)
def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The q-quantiles along a dimension, or of all elements; nan where the data holds one.

    Raises:
        RuntimeError: for an empty input, another dtype than float or double, or a q outside [0, 1].

    >>> rushlight.quantile(rushlight.tensor([0.0, 1.0, 2.0]), 0.25)
    tensor(0.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skip_nan=False)


@operator(
    "nanquantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear')"
    " -> Tensor",
    method=True,
    out=True,
)
def nanquantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """As quantile, of the elements that are not nan.

    Raises:
        RuntimeError: for an empty input, another dtype than float or double, or a q outside [0, 1].

    >>> rushlight.nanquantile(rushlight.tensor([0.0, float("nan"), 2.0]), 0.5)
    tensor(1.)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skip_nan=True)


@operator("histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor", method=True, out=True)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:  # noqa: A002
    """How many elements fall in each of equal bins between `min` and `max`, or the data's own range.

    Raises:
        RuntimeError: for bins below one, `max` below `min`, or a range that is not finite.

    >>> rushlight.histc(rushlight.tensor([1.0, 2.0, 1.0]), bins=2, min=1, max=2)
    tensor([2., 1.])
    """
    if bins <= 0:
        raise RuntimeError("torch.histc(): bins must be > 0")
    data = input.detach().reshape(-1)
    low, high = _bounds("torch.histc", data, min, max, margin=1.0)
    width = rushlight.tensor(high - low, dtype=data.dtype)
    scaled = (data - low) * bins / width
    inside = (data >= low) & (data <= high)
    places = scaled[inside].to(rushlight.int64).clamp(max=bins - 1)
    return rushlight.bincount(places, minlength=bins).to(input.dtype)


def _bounds(name: str, data: Tensor, low: float, high: float, margin: float) -> tuple[float, float]:
    if low == high and data.numel() > 0:
        low, high = data.min().item(), data.max().item()
    if data.numel() == 0 and margin < 1:
        low, high = 0.0, 1.0
    if low == high:
        low, high = low - margin, high + margin
    if not abs(low) < float("inf") or not abs(high) < float("inf"):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}(): max must be larger than min")
    return low, high


@operator(
    "histogram(Tensor self, int bins=100, *, float[]? range=None, Tensor? weight=None, bool density=False)"
    " -> (Tensor hist, Tensor bin_edges)",
    method=True,
    out=True,
)
def histogram(
    input: Tensor,
    bins: int | Tensor = 100,
    *,
    range: Sequence[float] | None = None,  # noqa: A002
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, Tensor]:
    """Counts, or summed weights, in bins given by number or by edges; with `density` they integrate to one.

    Raises:
        RuntimeError: for bins below one, weights of another shape, or a range that is not finite.

    >>> hist, edges = rushlight.histogram(rushlight.tensor([1.0, 2.0, 1.0]), bins=2, range=(1.0, 2.0))
    >>> hist.tolist(), edges.tolist()
    ([2.0, 1.0], [1.0, 1.5, 2.0])
    """
    if weight is not None and weight.shape != input.shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
            "excluding its innermost dimension"
        )
    data = input.detach().reshape(-1)
    if isinstance(bins, rushlight.Tensor):
        edges = bins.detach()
    else:
        if bins <= 0:
            raise RuntimeError("torch.histogram(): bins must be > 0")
        low, high = _bounds("torch.histogram", data, *(range or (0, 0)), margin=0.5)
        edges = rushlight.linspace(low, high, bins + 1, dtype=input.dtype)
    count = edges.numel() - 1
    inside = (data >= edges[0]) & (data <= edges[-1])
    places = rushlight.searchsorted(edges, data[inside], right=True) - 1
    places = places.clamp(max=count - 1)
    weights = rushlight.ones_like(data) if weight is None else weight.detach().reshape(-1)
    hist = rushlight.zeros(count, dtype=input.dtype).index_add_(0, places, weights[inside])
    if density:
        hist = hist / (hist.sum() * (edges[1:] - edges[:-1]))
    return hist, edges
