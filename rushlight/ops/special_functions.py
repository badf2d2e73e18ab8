"""The special namespace: Bessel, error, gamma, zeta functions and orthogonal polynomials, with their gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.arrays import to_array, to_tensor
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor

_pointwise: list[Any] = []


def _series() -> Any:
    from rushlight.ops import special_series

    return special_series


def _define() -> Any:
    class Pointwise(rushlight.autograd.Function):
        """A function of arrays in double precision; each input's derivative is a function of the inputs."""

        @staticmethod
        def forward(ctx: Any, function: Any, derivatives: Any, name: str, *inputs: Tensor) -> Tensor:
            ctx.derivatives = derivatives
            ctx.save_for_backward(*inputs)
            arrays = [to_array(item.to(rushlight.float64)) for item in inputs]
            return to_tensor(function(*arrays), "float32" if name in _NARROW else name).to(
                getattr(rushlight, name)
            )

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            inputs = ctx.saved_tensors
            wide = [item.to(rushlight.float64) for item in inputs]
            grads = []
            for item, derivative, needed in zip(inputs, ctx.derivatives, ctx.needs_input_grad[3:]):
                if not needed:
                    grads.append(None)
                elif derivative is None:
                    raise RuntimeError(
                        f"the derivative with respect to argument {len(grads)} is not implemented"
                    )
                else:
                    grads.append((grad * derivative(*wide)).sum_to_size(item.shape).to(item.dtype))
            return None, None, None, *grads

    return Pointwise


_NARROW = frozenset({"bfloat16", "float16"})


def _tensor(value: Any, other: Any) -> Tensor:
    """A number as a tensor that does not widen the other operand."""
    if isinstance(value, rushlight.Tensor):
        return value
    wide = rushlight.get_default_dtype() if isinstance(value, float) else rushlight.int64
    dtype = rushlight.result_type(other, value) if isinstance(other, rushlight.Tensor) else wide
    return rushlight.tensor(value, dtype=dtype)


def _apply(function: Callable[..., Any], derivatives: tuple[Any, ...], *inputs: Any) -> Tensor:
    """function over broadcast inputs, integers in the default dtype."""
    first = next(item for item in inputs if isinstance(item, rushlight.Tensor))
    tensors = [_tensor(item, first) for item in inputs]
    dtype = tensors[0].dtype
    for item in tensors[1:]:
        dtype = rushlight.result_type(tensors[0], item)
    if dtype.is_complex:
        raise RuntimeError("special functions of complex arguments are not implemented for 'ComplexFloat'")
    if not dtype.is_floating_point:
        dtype = rushlight.get_default_dtype()
    if not _pointwise:
        _pointwise.append(_define())
    name = str(dtype).rsplit(".", 1)[-1]
    return _pointwise[0].apply(function, derivatives, name, *tensors)


def _constant(function: Callable[..., Any], *inputs: Any) -> Tensor:
    """A function that PyTorch does not differentiate."""
    detached = [item.detach() if isinstance(item, rushlight.Tensor) else item for item in inputs]
    return _apply(function, (None,) * len(inputs), *detached)


def _erfc(array: Any) -> Any:
    return to_array(rushlight.erfc(to_tensor(array, "float64")))


def _erfinv(array: Any) -> Any:
    return to_array(rushlight.erfinv(to_tensor(array, "float64")))


# Modified Bessel functions


@operator("special.i0e(Tensor self) -> Tensor", out=True)
def i0e(input: Tensor) -> Tensor:
    """exp(-|x|) I0(x), I0 the modified Bessel function of the first kind.

    >>> rushlight.special.i0e(rushlight.zeros(1))
    tensor([1.])
    """
    return _apply(lambda x: _series().bessel_ie(x, 0), (lambda x: i1e(x) - x.sgn() * i0e(x),), input)


@operator("special.i1(Tensor self) -> Tensor", out=True)
def i1(input: Tensor) -> Tensor:
    """I1(x), the modified Bessel function of the first kind of order one.

    >>> rushlight.special.i1(rushlight.zeros(1))
    tensor([0.])
    """

    def derivative(x: Tensor) -> Tensor:
        safe = rushlight.where(x == 0, rushlight.ones_like(x), x)
        return rushlight.where(x == 0, 0.5, rushlight.i0(safe) - i1(safe) / safe)

    return _apply(lambda x: _series().bessel_i(x, 1), (derivative,), input)


@operator("special.i1e(Tensor self) -> Tensor", out=True)
def i1e(input: Tensor) -> Tensor:
    """exp(-|x|) I1(x).

    >>> rushlight.special.i1e(rushlight.zeros(1))
    tensor([0.])
    """

    def derivative(x: Tensor) -> Tensor:
        safe = rushlight.where(x == 0, rushlight.ones_like(x), x)
        return rushlight.where(x == 0, 0.5, i0e(safe) - i1e(safe) * (safe.sgn() + 1 / safe))

    return _apply(lambda x: _series().bessel_ie(x, 1), (derivative,), input)


# The normal distribution


@operator("special.ndtr(Tensor self) -> Tensor", out=True)
def ndtr(input: Tensor) -> Tensor:
    """The distribution function of the standard normal law.

    >>> rushlight.special.ndtr(rushlight.zeros(1))
    tensor([0.5000])
    """

    def derivative(x: Tensor) -> Tensor:
        return (-x * x / 2).exp() / math.sqrt(2 * math.pi)

    return _apply(lambda x: _erfc(-x / math.sqrt(2)) / 2, (derivative,), input)


@operator("special.log_ndtr(Tensor self) -> Tensor", out=True)
def log_ndtr(input: Tensor) -> Tensor:
    """The logarithm of ndtr, right in the tails.

    >>> rushlight.special.log_ndtr(rushlight.zeros(1))
    tensor([-0.6931])
    """

    def derivative(x: Tensor) -> Tensor:
        return math.sqrt(2 / math.pi) / erfcx(-x / math.sqrt(2))

    return _apply(lambda x: _series().log_ndtr(x, _erfc), (derivative,), input)


@operator("special.ndtri(Tensor self) -> Tensor", out=True)
def ndtri(input: Tensor) -> Tensor:
    """The inverse of ndtr; nan outside 0 to 1.

    >>> rushlight.special.ndtri(rushlight.tensor([0.5])).abs()
    tensor([0.])
    """

    def derivative(p: Tensor) -> Tensor:
        x = ndtri(p)
        return math.sqrt(2 * math.pi) * (x * x / 2).exp()

    return _apply(lambda p: _series().ndtri(p, _erfinv, _erfc), (derivative,), input)


@operator("special.erfcx(Tensor self) -> Tensor", out=True)
def erfcx(input: Tensor) -> Tensor:
    """exp(x^2) erfc(x), the scaled complementary error function.

    >>> rushlight.special.erfcx(rushlight.zeros(1))
    tensor([1.])
    """

    def derivative(x: Tensor) -> Tensor:
        return 2 * x * erfcx(x) - 2 / math.sqrt(math.pi)

    return _apply(lambda x: _series().erfcx(x, _erfc), (derivative,), input)


# Entropy and logarithms


@operator("special.entr(Tensor self) -> Tensor", out=True)
def entr(input: Tensor) -> Tensor:
    """-x log x; zero at zero, -inf below.

    >>> rushlight.special.entr(rushlight.ones(1)).abs()
    tensor([0.])
    """
    x = input if input.is_floating_point() else input.to(rushlight.get_default_dtype())
    positive = rushlight.where(x > 0, -x * x.log(), rushlight.zeros_like(x))
    return rushlight.where(x < 0, -math.inf, rushlight.where(x.isnan(), x, positive))


@operator("special.xlog1py(Tensor self, Tensor other) -> Tensor", out=True)
def xlog1py(input: Any, other: Any) -> Tensor:
    """x log(1 + y), zero where x is zero and y is not nan.

    >>> rushlight.special.xlog1py(rushlight.ones(1), rushlight.zeros(1))
    tensor([0.])
    """

    def function(x: Any, y: Any) -> Any:
        import numpy as np

        with np.errstate(all="ignore"):
            return np.where(np.isnan(y), np.nan, np.where(x == 0, 0.0, x * np.log1p(y)))

    def left(x: Tensor, y: Tensor) -> Tensor:
        return rushlight.where((x == 0) & (y <= -1), 0.0, y.log1p())

    return _apply(function, (left, lambda x, y: x / (y + 1)), input, other)


# Gamma and zeta functions


@operator("special.zeta(Tensor self, Tensor other) -> Tensor", out=True)
def zeta(input: Any, other: Any) -> Tensor:
    """The Hurwitz zeta function: the sum of (k + q)^-x over k from zero.

    >>> rushlight.special.zeta(rushlight.tensor([2.0]), rushlight.ones(1))
    tensor([1.6449])
    """

    def right(x: Tensor, q: Tensor) -> Tensor:
        return -x * zeta(x + 1, q)

    return _apply(lambda x, q: _series().zeta(x, q), (None, right), input, other)


# Bessel and Airy functions, which PyTorch does not differentiate


@operator("special.airy_ai(Tensor self) -> Tensor", out=True)
def airy_ai(input: Tensor) -> Tensor:
    """The Airy function Ai(x).

    >>> rushlight.special.airy_ai(rushlight.ones(1))
    tensor([0.1353])
    """
    return _constant(lambda x: _series().airy_ai(x), input)


@operator("special.bessel_j0(Tensor self) -> Tensor", out=True)
def bessel_j0(input: Tensor) -> Tensor:
    """The Bessel function of the first kind J0(x).

    >>> rushlight.special.bessel_j0(rushlight.ones(1))
    tensor([0.7652])
    """
    return _constant(lambda x: _series().bessel_j(x, 0), input)


@operator("special.bessel_j1(Tensor self) -> Tensor", out=True)
def bessel_j1(input: Tensor) -> Tensor:
    """The Bessel function of the first kind J1(x).

    >>> rushlight.special.bessel_j1(rushlight.ones(1))
    tensor([0.4401])
    """
    return _constant(lambda x: _series().bessel_j(x, 1), input)


@operator("special.bessel_y0(Tensor self) -> Tensor", out=True)
def bessel_y0(input: Tensor) -> Tensor:
    """The Bessel function of the second kind Y0(x).

    >>> rushlight.special.bessel_y0(rushlight.ones(1))
    tensor([0.0883])
    """
    return _constant(lambda x: _series().bessel_y(x, 0), input)


@operator("special.bessel_y1(Tensor self) -> Tensor", out=True)
def bessel_y1(input: Tensor) -> Tensor:
    """The Bessel function of the second kind Y1(x).

    >>> rushlight.special.bessel_y1(rushlight.ones(1))
    tensor([-0.7812])
    """
    return _constant(lambda x: _series().bessel_y(x, 1), input)


@operator("special.modified_bessel_i0(Tensor self) -> Tensor", out=True)
def modified_bessel_i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind I0(x).

    >>> rushlight.special.modified_bessel_i0(rushlight.ones(1))
    tensor([1.2661])
    """
    return _constant(lambda x: _series().bessel_i(x, 0), input)


@operator("special.modified_bessel_i1(Tensor self) -> Tensor", out=True)
def modified_bessel_i1(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind I1(x).

    >>> rushlight.special.modified_bessel_i1(rushlight.ones(1))
    tensor([0.5652])
    """
    return _constant(lambda x: _series().bessel_i(x, 1), input)


@operator("special.modified_bessel_k0(Tensor self) -> Tensor", out=True)
def modified_bessel_k0(input: Tensor) -> Tensor:
    """The modified Bessel function of the second kind K0(x).

    >>> rushlight.special.modified_bessel_k0(rushlight.ones(1))
    tensor([0.4210])
    """
    return _constant(lambda x: _series().bessel_k(x, 0), input)


@operator("special.modified_bessel_k1(Tensor self) -> Tensor", out=True)
def modified_bessel_k1(input: Tensor) -> Tensor:
    """The modified Bessel function of the second kind K1(x).

    >>> rushlight.special.modified_bessel_k1(rushlight.ones(1))
    tensor([0.6019])
    """
    return _constant(lambda x: _series().bessel_k(x, 1), input)


@operator("special.scaled_modified_bessel_k0(Tensor self) -> Tensor", out=True)
def scaled_modified_bessel_k0(input: Tensor) -> Tensor:
    """exp(x) K0(x).

    >>> rushlight.special.scaled_modified_bessel_k0(rushlight.ones(1))
    tensor([1.1445])
    """
    return _constant(lambda x: _series().bessel_ke(x, 0), input)


@operator("special.scaled_modified_bessel_k1(Tensor self) -> Tensor", out=True)
def scaled_modified_bessel_k1(input: Tensor) -> Tensor:
    """exp(x) K1(x).

    >>> rushlight.special.scaled_modified_bessel_k1(rushlight.ones(1))
    tensor([1.6362])
    """
    return _constant(lambda x: _series().bessel_ke(x, 1), input)


@operator("special.spherical_bessel_j0(Tensor self) -> Tensor", out=True)
def spherical_bessel_j0(input: Tensor) -> Tensor:
    """The spherical Bessel function sin(x) / x.

    >>> rushlight.special.spherical_bessel_j0(rushlight.ones(1))
    tensor([0.8415])
    """
    return _constant(lambda x: _series().spherical_bessel_j0(x), input)


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
