"""Signal processing: rushlight.signal."""

from rushlight.signal import windows  # noqa: F401

__all__ = ["windows"]
