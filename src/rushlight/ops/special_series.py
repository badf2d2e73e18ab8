"""The Airy function and orthogonal polynomials of float64 arrays, by series, quadrature and recurrences.

Formulas by number from M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 1964 (A&S), and the
NIST Digital Library of Mathematical Functions (DLMF).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _piecewise(x: Any, *pieces: tuple[Any, Callable[[Any], Any]]) -> Any:
    """Each piece's function where its mask holds; nan elsewhere. Later pieces win."""
    result = np.full(x.shape, np.nan)
    for mask, function in pieces:
        if mask.any():
            result[mask] = function(x[mask])
    return result


def _integral_k(x: Any, order: float) -> Any:
    """exp(x) K_order(x) by the trapezoidal rule on DLMF 10.32.9."""
    step = 1 / 16
    t = np.arange(1, 16 * 7) * step
    inner = np.exp(-x[:, None] * (np.cosh(t) - 1)) * np.cosh(order * t)
    return step * (0.5 + inner.sum(1))


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
