"""Numbers of special functions on float64 arrays, by series, asymptotic expansions, recurrences and quadrature.

Formulas by number from M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 1964 (A&S), and the
NIST Digital Library of Mathematical Functions (DLMF).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_EULER = 0.57721566490153286061


def _piecewise(x: Any, *pieces: tuple[Any, Callable[[Any], Any]]) -> Any:
    """Each piece's function where its mask holds; nan elsewhere. Later pieces win."""
    result = np.full(x.shape, np.nan)
    for mask, function in pieces:
        if mask.any():
            result[mask] = function(x[mask])
    return result


# Modified Bessel functions of the first kind


def _power_i(x: Any, order: int) -> Any:
    """A&S 9.6.10, all terms of one sign."""
    quarter = x * x / 4
    term = (x / 2) ** order / math.factorial(order)
    total = term.copy()
    for k in range(1, 90):
        term = term * quarter / (k * (k + order))
        total += term
    return total


def _hankel(x: Any, order: float, sign: int, terms: int = 24) -> Any:
    """The sum of sign^k a_k(order) / x^k (DLMF 10.17.1), stopped at its smallest term."""
    term = np.ones_like(x)
    total = np.ones_like(x)
    alive = np.ones(x.shape, bool)
    for k in range(1, terms):
        following = term * sign * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        alive &= np.abs(following) <= np.abs(term)
        term = np.where(alive, following, 0.0)
        total += term
    return total


def bessel_ie(x: Any, order: int) -> Any:
    """exp(-|x|) I_order(x) for orders 0 and 1; DLMF 10.40.1 for large arguments."""
    size = np.abs(x)
    found = _piecewise(
        size,
        (size <= 30, lambda a: np.exp(-a) * _power_i(a, order)),
        ((size > 30) & np.isfinite(size), lambda a: _hankel(a, order, -1) / np.sqrt(2 * np.pi * a)),
        (np.isinf(size), np.zeros_like),
    )
    return np.sign(x) * found if order == 1 else found


def bessel_i(x: Any, order: int) -> Any:
    """I_order(x) for orders 0 and 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        half = np.exp(np.abs(x) / 2)
        return np.where(np.isinf(x), x**2 if order == 0 else x, bessel_ie(x, order) * half * half)


# Bessel functions


def _spectrum(x: Any) -> Any:
    """J_n(x) for n = 0, 1, ..., by the trapezoidal rule on Bessel's integral (DLMF 10.9.2), exact to rounding."""
    points = 128
    angle = 2 * np.pi * np.arange(points) / points
    samples = np.exp(1j * x[:, None] * np.sin(angle))
    return np.fft.fft(samples, axis=1).real[:, : points // 2] / points


def _far(x: Any, order: int, phase: float) -> Any:
    """A&S 9.2.5 and 9.2.6: the modulus times a cosine, from Hankel's expansion."""
    p, q = _hankel_pair(x, order)
    angle = x - (order / 2 + 0.25) * np.pi - phase
    return np.sqrt(2 / (np.pi * x)) * (p * np.cos(angle) - q * np.sin(angle))


def _hankel_pair(x: Any, order: int) -> tuple[Any, Any]:
    term = np.ones_like(x)
    sums = [np.ones_like(x), np.zeros_like(x)]
    for k in range(1, 24):
        term = term * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        sums[k % 2] = sums[k % 2] + (-1) ** (k // 2) * term
    return sums[0], sums[1]


def bessel_j(x: Any, order: int) -> Any:
    """J_order(x) for orders 0 and 1."""
    size = np.abs(x)
    found = _piecewise(
        size,
        (size <= 25, lambda a: _spectrum(a)[:, order]),
        ((size > 25) & np.isfinite(size), lambda a: _far(a, order, 0.0)),
        (np.isinf(size), np.zeros_like),
    )
    return np.where(x < 0, -found, found) if order == 1 else found


def _near_y0(x: Any) -> Any:
    """Neumann's series, A&S 9.1.88 at order 0."""
    j = _spectrum(x)
    total = (np.log(x / 2) + _EULER) * j[:, 0]
    for k in range(1, 31):
        total -= 2 * (-1) ** k * j[:, 2 * k] / k
    return 2 / np.pi * total


def _near_y1(x: Any) -> Any:
    """A&S 9.1.88 at order 1."""
    j = _spectrum(x)
    total = (np.log(x / 2) + _EULER - 1) * j[:, 1] - j[:, 0] / x
    for k in range(1, 31):
        total -= (-1) ** k * (2 * k + 1) / (k * (k + 1)) * j[:, 2 * k + 1]
    return 2 / np.pi * total


def bessel_y(x: Any, order: int) -> Any:
    """Y_order(x) for orders 0 and 1; -inf at zero, nan below."""
    near = _near_y0 if order == 0 else _near_y1
    return _piecewise(
        x,
        ((x > 0) & (x <= 25), near),
        ((x > 25) & np.isfinite(x), lambda a: _far(a, order, np.pi / 2)),
        (np.isposinf(x), np.zeros_like),
        (x == 0, lambda a: np.full_like(a, -np.inf)),
    )


# Modified Bessel functions of the second kind, and Airy's


def _integral_k(x: Any, order: float) -> Any:
    """exp(x) K_order(x) by the trapezoidal rule on DLMF 10.32.9."""
    step = 1 / 16
    t = np.arange(1, 16 * 7) * step
    inner = np.exp(-x[:, None] * (np.cosh(t) - 1)) * np.cosh(order * t)
    return step * (0.5 + inner.sum(1))


def _series_k0(x: Any) -> Any:
    """A&S 9.6.13."""
    quarter, term, harmonic = x * x / 4, np.ones_like(x), 0.0
    total = -(np.log(x / 2) + _EULER) * _power_i(x, 0)
    for k in range(1, 30):
        term, harmonic = term * quarter / (k * k), harmonic + 1 / k
        total += harmonic * term
    return total


def _series_k1(x: Any) -> Any:
    """A&S 9.6.11 at order 1."""
    quarter, term = x * x / 4, x / 2
    total = 1 / x + np.log(x / 2) * _power_i(x, 1)
    harmonic = 0.0
    for k in range(30):
        following = harmonic + 1 / (k + 1)
        total -= (harmonic + following - 2 * _EULER) / 2 * term
        term = term * quarter / ((k + 1) * (k + 2))
        harmonic = following
    return total


def bessel_ke(x: Any, order: int) -> Any:
    """exp(x) K_order(x) for orders 0 and 1; inf at zero, nan below."""
    series = _series_k0 if order == 0 else _series_k1
    return _piecewise(
        x,
        ((x > 0) & (x < 1), lambda a: np.exp(a) * series(a)),
        ((x >= 1) & (x <= 50), lambda a: _integral_k(a, order)),
        ((x > 50) & np.isfinite(x), lambda a: np.sqrt(np.pi / (2 * a)) * _hankel(a, order, 1)),
        (np.isposinf(x), np.zeros_like),
        (x == 0, lambda a: np.full_like(a, np.inf)),
    )


def bessel_k(x: Any, order: int) -> Any:
    """K_order(x) for orders 0 and 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isposinf(x), 0.0, np.exp(-x) * bessel_ke(x, order))


def _near_airy(x: Any) -> Any:
    """A&S 10.4.2 and 10.4.3."""
    cube = x**3
    f = term_f = np.ones_like(x)
    g = term_g = x.copy()
    for k in range(1, 60):
        term_f = term_f * cube / ((3 * k - 1) * (3 * k))
        term_g = term_g * cube / ((3 * k) * (3 * k + 1))
        f, g = f + term_f, g + term_g
    return 0.35502805388781723926 * f - 0.25881940379280679841 * g


def _left_airy(x: Any) -> Any:
    """A&S 10.4.60."""
    zeta = 2 / 3 * (-x) ** 1.5
    even, odd, term = np.ones_like(x), np.zeros_like(x), np.ones_like(x)
    for k in range(1, 16):
        term = term * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)) / zeta
        if k % 2:
            odd = odd + (-1) ** (k // 2) * term
        else:
            even = even + (-1) ** (k // 2) * term
    angle = zeta + np.pi / 4
    return (np.sin(angle) * even - np.cos(angle) * odd) / (np.sqrt(np.pi) * (-x) ** 0.25)


def airy_ai(x: Any) -> Any:
    """Ai(x); A&S 10.4.14 to the right."""

    def right(a: Any) -> Any:
        zeta = 2 / 3 * a**1.5
        return np.sqrt(a / 3) / np.pi * np.exp(-zeta) * _integral_k(zeta, 1 / 3)

    return _piecewise(
        x,
        ((x >= -7) & (x <= 2), _near_airy),
        ((x > 2) & np.isfinite(x), right),
        ((x < -7) & np.isfinite(x), _left_airy),
        (np.isinf(x), np.zeros_like),
    )


def spherical_bessel_j0(x: Any) -> Any:
    """sin(x) / x; its Taylor series near zero."""
    square = x * x
    near = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(x) < 0.5, near, np.where(np.isinf(x), 0.0, np.sin(x) / x))


# Zeta and the error functions

_BERNOULLI = (
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
    -174611 / 330,
)


def zeta(x: Any, q: Any) -> Any:
    """The Hurwitz zeta function by the Euler-Maclaurin formula (DLMF 25.11.28)."""
    x, q = np.broadcast_arrays(np.asarray(x, float), np.asarray(q, float))
    with np.errstate(all="ignore"):
        total = np.zeros(x.shape)
        place = q.astype(float).copy()
        steps = int(max(9.0, np.ceil(9 - np.min(np.where(np.isfinite(q), q, 9), initial=9.0))))
        for _ in range(min(steps, 100000)):
            low = place < 9
            total = np.where(low, total + place**-x, total)
            place = np.where(low, place + 1, place)
        total += place ** (1 - x) / (x - 1) + 0.5 * place**-x
        factor = x * place ** (-x - 1)
        for order, number in enumerate(_BERNOULLI, 1):
            total += number / math.factorial(2 * order) * factor
            factor = factor * (x + 2 * order - 1) * (x + 2 * order) / (place * place)
        total = np.where((q <= 0) & (x != np.floor(x)), np.nan, total)
        total = np.where((q <= 0) & (q == np.floor(q)), np.inf, total)
        total = np.where(x < 1, np.nan, total)
        return np.where(x == 1, np.inf, np.where(np.isnan(x) | np.isnan(q), np.nan, total))


def erfcx(x: Any, erfc: Callable[[Any], Any]) -> Any:
    """exp(x^2) erfc(x); A&S 7.1.23 where erfc leaves the range of doubles."""

    def far(a: Any) -> Any:
        inverse = 1 / (2 * a * a)
        total = term = np.ones_like(a)
        for k in range(1, 8):
            term = -term * (2 * k - 1) * inverse
            total = total + term
        return total / (a * math.sqrt(math.pi))

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _piecewise(x, (x < 20, lambda a: np.exp(a * a) * erfc(a)), (x >= 20, far))


def log_ndtr(x: Any, erfc: Callable[[Any], Any]) -> Any:
    """The logarithm of the normal distribution function."""
    half = x / math.sqrt(2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left = np.log(erfcx(-np.minimum(half, 0), erfc) / 2) - half * half
        return np.where(x < -1, left, np.log1p(-erfc(half) / 2))


def ndtri(p: Any, erfinv: Callable[[Any], Any], erfc: Callable[[Any], Any]) -> Any:
    """The inverse of the normal distribution function: erfinv, or Newton on its logarithm in the left tail."""

    def tail(a: Any) -> Any:
        goal = np.log(a)
        x = -np.sqrt(np.maximum(-2 * goal - np.log(-4 * np.pi * goal), 1.0))
        for _ in range(6):
            value = log_ndtr(x, erfc)
            slope = np.exp(-x * x / 2 - value) / math.sqrt(2 * math.pi)
            x = x - (value - goal) / slope
        return x

    return _piecewise(
        p,
        ((p >= 0.01) & (p <= 0.99), lambda a: math.sqrt(2) * erfinv(2 * a - 1)),
        ((p > 0) & (p < 0.01), tail),
        ((p > 0.99) & (p < 1), lambda a: -tail(1 - a)),
        (p == 0, lambda a: np.full_like(a, -np.inf)),
        (p == 1, lambda a: np.full_like(a, np.inf)),
    )


# Orthogonal polynomials by their recurrences (A&S 22.7)


def recurrence(
    x: Any, n: Any, first: Callable[[Any], Any], following: Callable[[int, Any, Any, Any], Any]
) -> Any:
    """P_n(x) from P_0 = 1, P_1 = first(x) and P_{k+1} = following(k, x, P_k, P_{k-1}); zero for n below zero."""
    x, n = np.broadcast_arrays(np.asarray(x, float), np.trunc(np.asarray(n, float)))
    before = np.ones(x.shape)
    with np.errstate(all="ignore"):
        current = first(x)
        result = np.where(n == 0, before, np.where(n == 1, current, 0.0))
        for k in range(1, int(np.max(n, initial=0))):
            before, current = current, following(k, x, current, before)
            result = np.where(n == k + 1, current, result)
    return result
