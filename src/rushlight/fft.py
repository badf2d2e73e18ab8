"""Discrete Fourier transforms: rushlight.fft."""

from rushlight.ops import fourier, registry  # noqa: F401

globals().update(registry.namespace("fft"))
__all__ = sorted(registry.namespace("fft"))
