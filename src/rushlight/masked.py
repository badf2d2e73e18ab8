"""Reductions and normalizations that skip masked elements: rushlight.masked."""

from rushlight.ops import masked as _masked, registry as _registry  # noqa: F401

globals().update(_registry.namespace("masked"))
__all__ = sorted(_registry.namespace("masked"))
