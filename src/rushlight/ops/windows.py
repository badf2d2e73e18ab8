"""Window functions of signal processing: the signal.windows namespace.

Formulas: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", 1978;
A. H. Nuttall, "Some windows with very good sidelobe behavior", 1981.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


def _window(
    name: str,
    M: int,  # noqa: N803
    shape: Callable[[Tensor, int], Tensor],
    sym: bool,
    dtype: Any,
    layout: Any,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """shape(k, steps) at the samples k of a window of `steps` steps, in the dtype asked for."""
    dtype = rushlight.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not None and layout is not rushlight.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (rushlight.float32, rushlight.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    if M <= 1:
        values = rushlight.ones(M, dtype=dtype, device=device)
    else:
        samples = rushlight.arange(M, dtype=rushlight.float64, device=device)
        values = shape(samples, M - 1 if sym else M).to(dtype)
    return values.requires_grad_(requires_grad)


def _cosine_sum(coefficients: Sequence[float]) -> Callable[[Tensor, int], Tensor]:
    """a0 - a1 cos(t) + a2 cos(2 t) - ..., t once around over the window."""

    def shape(samples: Tensor, steps: int) -> Tensor:
        angle = samples * (2 * math.pi / steps)
        total = rushlight.zeros_like(angle)
        for order, coefficient in enumerate(coefficients):
            total = total + (-1) ** order * coefficient * (order * angle).cos()
        return total

    return shape


@operator("signal.windows.general_cosine(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def general_cosine(
    M: int,  # noqa: N803
    *,
    a: Sequence[float],
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A weighted sum of cosines with alternating signs.

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64, or no coefficients.

    >>> rushlight.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    if not isinstance(a, Sequence):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _window("general_cosine", M, _cosine_sum(a), sym, dtype, layout, device, requires_grad)


@operator("signal.windows.general_hamming(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def general_hamming(
    M: int,  # noqa: N803
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - (1 - alpha) cos(t).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.general_hamming(3, alpha=0.5)
    tensor([0., 1., 0.])
    """
    return _window(
        "general_hamming", M, _cosine_sum((alpha, 1 - alpha)), sym, dtype, layout, device, requires_grad
    )


@operator("signal.windows.hamming(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def hamming(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.54 - 0.46 cos(t).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return _window("hamming", M, _cosine_sum((0.54, 0.46)), sym, dtype, layout, device, requires_grad)


@operator("signal.windows.hann(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def hann(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a raised cosine.

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.hann(3)
    tensor([0., 1., 0.])
    """
    return _window("hann", M, _cosine_sum((0.5, 0.5)), sym, dtype, layout, device, requires_grad)


@operator("signal.windows.blackman(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def blackman(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 - 0.5 cos(t) + 0.08 cos(2 t).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.blackman(3).round(decimals=4).abs()
    tensor([0., 1., 0.])
    """
    return _window("blackman", M, _cosine_sum((0.42, 0.5, 0.08)), sym, dtype, layout, device, requires_grad)


@operator("signal.windows.nuttall(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def nuttall(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The four-term window of continuous first derivative and minimal sidelobes.

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.nuttall(3)[1]
    tensor(1.)
    """
    return _window(
        "nuttall",
        M,
        _cosine_sum((0.3635819, 0.4891775, 0.1365995, 0.0106411)),
        sym,
        dtype,
        layout,
        device,
        requires_grad,
    )


@operator("signal.windows.bartlett(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def bartlett(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle that ends in zeros.

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.bartlett(3)
    tensor([0., 1., 0.])
    """
    return _window(
        "bartlett",
        M,
        lambda k, steps: 1 - (2 * k / steps - 1).abs(),
        sym,
        dtype,
        layout,
        device,
        requires_grad,
    )


@operator("signal.windows.cosine(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def cosine(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a period of a sine, sampled between its zeros.

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64.

    >>> rushlight.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """

    def shape(samples: Tensor, steps: int) -> Tensor:
        return ((samples + 0.5) * (math.pi / (steps + 1))).sin()

    return _window("cosine", M, shape, sym, dtype, layout, device, requires_grad)


@operator("signal.windows.exponential(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def exponential(
    M: int,  # noqa: N803
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-|k - center| / tau).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64, a tau that is not positive, or a centre of a symmetric window.

    >>> rushlight.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def shape(samples: Tensor, steps: int) -> Tensor:
        middle = steps / 2 if center is None else center
        return (-(samples - middle).abs() / tau).exp()

    return _window("exponential", M, shape, sym, dtype, layout, device, requires_grad)


@operator("signal.windows.gaussian(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def gaussian(
    M: int,  # noqa: N803
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-(k - middle)^2 / (2 std^2)).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64, or a deviation that is not positive.

    >>> rushlight.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def shape(samples: Tensor, steps: int) -> Tensor:
        return (-(((samples - steps / 2) / std) ** 2) / 2).exp()

    return _window("gaussian", M, shape, sym, dtype, layout, device, requires_grad)


@operator("signal.windows.kaiser(int M, *, bool sym=True, ScalarType? dtype=None) -> Tensor")
def kaiser(
    M: int,  # noqa: N803
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """I0(beta sqrt(1 - t^2)) / I0(beta), t from -1 to 1 (J. F. Kaiser, 1974).

    Args:
        M: the number of samples.
        sym: symmetric, for filters; else one period of a window of M + 1, for spectra.

    Raises:
        ValueError: for a negative length, or another dtype than float32 and float64, or a negative beta.

    >>> rushlight.signal.windows.kaiser(3)[1]
    tensor(1.)
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def shape(samples: Tensor, steps: int) -> Tensor:
        place = 2 * samples / steps - 1
        inside = (1 - place * place).clamp(min=0).sqrt()
        return rushlight.i0(beta * inside) / rushlight.i0(rushlight.full_like(inside, beta))

    return _window("kaiser", M, shape, sym, dtype, layout, device, requires_grad)
