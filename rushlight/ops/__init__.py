"""Composite operators: what no hot path needs, written in Python on top of the native operators.

``python -m rushlight.ops NAME`` shows where any operator lives, native or composite, and what it can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.ops import registry


def composites() -> dict[str, Callable[..., Any]]:
    """The composite operators to be found as functions, by their dotted names under ``rushlight``."""
    _load()
    return {name: item.function for name, item in registry.composites().items()}


def methods() -> dict[str, Callable[..., Any]]:
    """The composite operators to be found as methods of Tensor."""
    _load()
    return registry.methods()


def _load() -> None:
    """Import the files that register operators under the top-level names."""
    from rushlight.ops import (  # noqa: F401
        calculus,
        comparison,
        contractions,
        copies,
        fourier,
        grids,
        joining,
        linalg,
        products,
        selection,
        statistics,
    )
