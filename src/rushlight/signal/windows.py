"""Window functions: rushlight.signal.windows."""

from rushlight.ops import registry, windows  # noqa: F401

globals().update(registry.namespace("signal.windows"))
__all__ = sorted(registry.namespace("signal.windows"))
