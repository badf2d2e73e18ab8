"""Composite operators: what no hot path needs, written in Python on top of the native operators.

``python -m rushlight.ops NAME`` shows where any operator lives, native or composite, and what it can do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rushlight.ops import index

_FUNCTION_FILES = {name: file for file, names in index.FUNCTIONS.items() for name in names.split()}
_METHOD_FILES = {name: file for file, names in index.METHODS.items() for name in names.split()}


def names() -> frozenset[str]:
    """The names that composite operators have under ``rushlight`` itself."""
    return frozenset(_FUNCTION_FILES)


def find(name: str) -> Callable[..., Any]:
    """The composite operator of a top-level name, its file loaded if need be."""
    registry = _load(_FUNCTION_FILES[name])
    return registry.composites()[name].function


def methods() -> dict[str, Any]:
    """What Tensor gets as methods: descriptors that load the operator at first use and give way to it."""
    return {name: _Method(name, file) for name, file in _METHOD_FILES.items()}


def composites() -> dict[str, Callable[..., Any]]:
    """All composite operators by their dotted names, every file loaded."""
    for file in (*index.FUNCTIONS, "masked", "special_functions", "windows"):
        registry = _load(file)
    return {name: item.function for name, item in registry.composites().items()}


def _load(file: str) -> Any:
    importlib.import_module(f"rushlight.ops.{file}")
    return importlib.import_module("rushlight.ops.registry")


class _Method:
    """A method whose operator is loaded when it is first looked up."""

    def __init__(self, name: str, file: str) -> None:
        self.name, self.file = name, file

    def __get__(self, instance: Any, owner: type) -> Any:
        function = _load(self.file).methods()[self.name]
        for base in owner.__mro__:
            if base.__dict__.get(self.name) is self:
                setattr(base, self.name, function)
        return function if instance is None else function.__get__(instance, owner)
