"""Tools beside the tensors: data loading, hooks' handles, DLPack. Each loads when first used."""

from __future__ import annotations

import importlib
from types import ModuleType

_SUBMODULES = ("data", "dlpack", "hooks")


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
