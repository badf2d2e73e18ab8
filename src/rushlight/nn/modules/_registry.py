"""`module._parameters`, `_buffers` and `_modules`: dictionaries over the attributes of a module.

A module keeps its parameters, buffers and children where Python keeps attributes, in `module.__dict__`, so that reading
`module.weight` costs one dictionary look-up; beside them it keeps the names of each kind in order of registration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

KINDS = ("_parameters", "_buffers", "_modules")
NAMES_KEY = {kind: kind + "_names" for kind in KINDS}


class Registry(MutableMapping):
    """The attributes of one kind as a dictionary; writing to it writes the module's attributes."""

    __slots__ = ("_attributes", "_names")

    def __init__(self, attributes: dict[str, Any], names: dict[str, None]) -> None:
        self._attributes = attributes
        self._names = names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._names[name] = None
        self._attributes[name] = value

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        del self._attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def __or__(self, other: Any) -> dict[str, Any]:
        return {**self, **other}


def members(module: Any, kind: str) -> Iterable[tuple[str, Any]]:
    """Names and values of one kind in order of registration, as they are now."""
    attributes = module.__dict__
    names = attributes.get(NAMES_KEY[kind])
    if names:
        return [(name, attributes[name]) for name in names]
    return () if names is not None else getattr(module, kind)  # which raises


def registry_property(kind: str) -> property:
    """The property of `Module` under which the attributes of `kind` appear as a dictionary."""
    key = NAMES_KEY[kind]

    def read(module: Any) -> Registry:
        attributes = module.__dict__
        if key not in attributes:
            raise AttributeError(f"{type(module).__name__!r} object has no attribute {kind!r}")
        return Registry(attributes, attributes[key])

    def replace(module: Any, values: dict[str, Any]) -> None:
        attributes = module.__dict__
        values = dict(values)
        for name in attributes.get(key, ()):
            del attributes[name]
        attributes[key] = dict.fromkeys(values)
        attributes.update(values)

    return property(read, replace)


def export_state(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes as PyTorch lays them out: one dictionary for each kind, which is what a pickle holds."""
    state = dict(attributes)
    for kind, key in NAMES_KEY.items():
        names = state.pop(key, None)
        if names is not None:
            state[kind] = {name: state.pop(name) for name in names}
    return state


def import_state(state: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `export_state`; a state that is laid out in our own way passes unchanged."""
    attributes = dict(state)
    for kind, key in NAMES_KEY.items():
        values = attributes.pop(kind, None)
        if values is not None:
            attributes[key] = dict.fromkeys(values)
            attributes.update(values)
    return attributes
