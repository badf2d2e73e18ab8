"""Choices among ways of computing: what is set here changes speed and rounding, never the meaning."""

from __future__ import annotations

from rushlight.backends import convolution

__all__ = ["convolution"]
