"""The special namespace's Airy function and orthogonal polynomials, which PyTorch does not differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.arrays import to_array, to_tensor
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _series() -> Any:
    from rushlight.ops import special_series

    return special_series


def _tensor(value: Any, other: Any) -> Tensor:
    """A number as a tensor that does not widen the other operand."""
    if isinstance(value, rushlight.Tensor):
        return value.detach()
    wide = rushlight.get_default_dtype() if isinstance(value, float) else rushlight.int64
    dtype = rushlight.result_type(other, value) if isinstance(other, rushlight.Tensor) else wide
    return rushlight.tensor(value, dtype=dtype)


def _constant(function: Callable[..., Any], *inputs: Any) -> Tensor:
    """function of broadcast inputs in double precision, off the graph; integers give the default dtype."""
    first = next(item for item in inputs if isinstance(item, rushlight.Tensor))
    tensors = [_tensor(item, first) for item in inputs]
    dtype = tensors[0].dtype
    for item in tensors[1:]:
        dtype = rushlight.result_type(tensors[0], item)
    if dtype.is_complex:
        raise RuntimeError("special functions of complex arguments are not implemented for 'ComplexFloat'")
    if not dtype.is_floating_point:
        dtype = rushlight.get_default_dtype()
    arrays = [to_array(item.to(rushlight.float64)) for item in tensors]
    return to_tensor(function(*arrays), "float64").to(dtype)


@operator("special.airy_ai(Tensor self) -> Tensor", out=True)
def airy_ai(input: Tensor) -> Tensor:
    """The Airy function Ai(x).

    >>> rushlight.special.airy_ai(rushlight.ones(1))
    tensor([0.1353])
    """
    return _constant(lambda x: _series().airy_ai(x), input)


# Orthogonal polynomials, which PyTorch does not differentiate


def _double(k: int, x: Any, current: Any, before: Any) -> Any:
    return 2 * x * current - before


@operator("special.chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor", out=True)
def chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """The Chebyshev polynomial of the first kind T_n(x).

    >>> rushlight.special.chebyshev_polynomial_t(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-0.5000])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: x, _double)

    return _constant(polynomial, input, n)


@operator("special.chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor", out=True)
def chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """The Chebyshev polynomial of the second kind U_n(x).

    >>> rushlight.special.chebyshev_polynomial_u(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([0.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: 2 * x, _double)

    return _constant(polynomial, input, n)


@operator("special.chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor", out=True)
def chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """The Chebyshev polynomial of the third kind V_n(x).

    >>> rushlight.special.chebyshev_polynomial_v(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: 2 * x - 1, _double)

    return _constant(polynomial, input, n)


@operator("special.chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor", out=True)
def chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """The Chebyshev polynomial of the fourth kind W_n(x).

    >>> rushlight.special.chebyshev_polynomial_w(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: 2 * x + 1, _double)

    return _constant(polynomial, input, n)


@operator("special.shifted_chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor", out=True)
def shifted_chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """T_n(2 x - 1), on the interval from 0 to 1.

    >>> rushlight.special.shifted_chebyshev_polynomial_t(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(2 * x - 1, n, lambda x: x, _double)

    return _constant(polynomial, input, n)


@operator("special.shifted_chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor", out=True)
def shifted_chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """U_n(2 x - 1), on the interval from 0 to 1.

    >>> rushlight.special.shifted_chebyshev_polynomial_u(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(2 * x - 1, n, lambda x: 2 * x, _double)

    return _constant(polynomial, input, n)


@operator("special.shifted_chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor", out=True)
def shifted_chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """V_n(2 x - 1), on the interval from 0 to 1.

    >>> rushlight.special.shifted_chebyshev_polynomial_v(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(2 * x - 1, n, lambda x: 2 * x - 1, _double)

    return _constant(polynomial, input, n)


@operator("special.shifted_chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor", out=True)
def shifted_chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """W_n(2 x - 1), on the interval from 0 to 1.

    >>> rushlight.special.shifted_chebyshev_polynomial_w(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(2 * x - 1, n, lambda x: 2 * x + 1, _double)

    return _constant(polynomial, input, n)


@operator("special.hermite_polynomial_h(Tensor x, Tensor n) -> Tensor", out=True)
def hermite_polynomial_h(input: Any, n: Any) -> Tensor:
    """The physicists' Hermite polynomial H_n(x).

    >>> rushlight.special.hermite_polynomial_h(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-1.])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: 2 * x, lambda k, x, a, b: 2 * x * a - 2 * k * b)

    return _constant(polynomial, input, n)


@operator("special.hermite_polynomial_he(Tensor x, Tensor n) -> Tensor", out=True)
def hermite_polynomial_he(input: Any, n: Any) -> Tensor:
    """The probabilists' Hermite polynomial He_n(x).

    >>> rushlight.special.hermite_polynomial_he(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-0.7500])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(x, n, lambda x: x, lambda k, x, a, b: x * a - k * b)

    return _constant(polynomial, input, n)


@operator("special.laguerre_polynomial_l(Tensor x, Tensor n) -> Tensor", out=True)
def laguerre_polynomial_l(input: Any, n: Any) -> Tensor:
    """The Laguerre polynomial L_n(x).

    >>> rushlight.special.laguerre_polynomial_l(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([0.1250])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(
            x, n, lambda x: 1 - x, lambda k, x, a, b: ((2 * k + 1 - x) * a - k * b) / (k + 1)
        )

    return _constant(polynomial, input, n)


@operator("special.legendre_polynomial_p(Tensor x, Tensor n) -> Tensor", out=True)
def legendre_polynomial_p(input: Any, n: Any) -> Tensor:
    """The Legendre polynomial P_n(x).

    >>> rushlight.special.legendre_polynomial_p(rushlight.tensor([0.5]), rushlight.tensor([2]))
    tensor([-0.1250])
    """

    def polynomial(x: Any, n: Any) -> Any:
        return _series().recurrence(
            x, n, lambda x: x, lambda k, x, a, b: ((2 * k + 1) * x * a - k * b) / (k + 1)
        )

    return _constant(polynomial, input, n)
