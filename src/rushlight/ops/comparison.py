"""Comparisons of whole tensors and of sets: isclose, allclose, isin, bucketize, and pointwise odds and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator, type_name

if TYPE_CHECKING:
    from rushlight import Tensor


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


@operator(
    "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
    method=True,
)
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|, element by element.

    Raises:
        RuntimeError: for different dtypes, or a negative tolerance.

    >>> rushlight.isclose(rushlight.tensor([1.0, 2.0]), rushlight.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"{type_name(input.dtype)} did not match {type_name(other.dtype)}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol}")
    input, other = input.detach(), other.detach()
    close = input == other
    if equal_nan and _is_inexact(input):
        close = close | ((input != input) & (other != other))
    if rtol == 0 and atol == 0:
        return close
    if not _is_inexact(other):
        allowed = atol + (rtol * other.to(rushlight.get_default_dtype())).abs()
        first, second = (
            (input.to(rushlight.int64), other.to(rushlight.int64))
            if input.dtype == rushlight.bool
            else (input, other)
        )
        difference = (first - second).abs()
    else:
        allowed = atol + (rtol * other).abs()
        difference = (input - other).abs()
    return close | (difference.isfinite() & (difference <= allowed))


@operator(
    "allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool",
    method=True,
)
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as isclose says.

    >>> rushlight.allclose(rushlight.ones(2), rushlight.ones(2) + 1e-9)
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@operator(
    "isin(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor",
    out=True,
)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is one of `test_elements`; either may be a number.

    >>> rushlight.isin(rushlight.tensor([1, 2, 3]), rushlight.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    if not isinstance(elements, rushlight.Tensor):
        elements = rushlight.tensor(elements, device=test_elements.device)
    if not isinstance(test_elements, rushlight.Tensor):
        test_elements = rushlight.tensor(test_elements, device=elements.device)
    candidates = test_elements.detach().reshape(-1)
    elements = elements.detach()
    if candidates.numel() == 0:
        return rushlight.full(elements.shape, invert, dtype=rushlight.bool)
    if candidates.numel() * elements.numel() <= 65536:
        found = (elements.unsqueeze(-1) == candidates).any(-1)
    else:
        ordered = candidates.sort()[0]
        places = rushlight.searchsorted(ordered, elements.to(ordered.dtype).contiguous())
        found = ordered[places.clamp(max=ordered.numel() - 1)] == elements
    return found.logical_not() if invert else found


@operator(
    "bucketize(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor", out=True
)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The index of the bucket between sorted boundaries that each value falls in.

    Raises:
        RuntimeError: where the boundaries are not a vector.

    >>> rushlight.bucketize(rushlight.tensor([0.5, 2.0]), rushlight.tensor([1.0, 2.0]))
    tensor([0, 1])
    """
    if boundaries.dim() != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})")
    if not isinstance(input, rushlight.Tensor):
        input = rushlight.tensor(input, device=boundaries.device)
    return rushlight.searchsorted(boundaries, input, out_int32=out_int32, right=right)
