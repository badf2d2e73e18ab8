"""Nodes of the graph as Python sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight._C import Node
from rushlight.utils.hooks import RemovableHandle


class _NodeHandle(RemovableHandle):
    """Removes a hook of a node."""

    def __init__(self, node: Any, number: int) -> None:
        self._node, self._number = node, number

    def remove(self) -> None:
        self._node._remove_hook(self._number)


def _register_hook(self: Any, fn: Callable[..., Any]) -> RemovableHandle:
    """Call ``fn(grad_inputs, grad_outputs)`` after this node; what it returns replaces the former."""
    return _NodeHandle(self, self._add_hook(fn))


def _register_prehook(self: Any, fn: Callable[..., Any]) -> RemovableHandle:
    """Call ``fn(grad_outputs)`` before this node; what it returns replaces them."""
    return _NodeHandle(self, self._add_prehook(fn))


Node.register_hook = _register_hook
Node.register_prehook = _register_prehook
