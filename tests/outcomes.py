"""What a piece of code does, in a form that compares across PyTorch and Rushlight."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch as pytorch

import rushlight

MODULES = {"pytorch": pytorch, "rushlight": rushlight}


def plain(value: Any) -> Any:
    """Return a value without the types of either library: tensors by what is in them, dtypes by name."""
    if isinstance(value, (pytorch.Tensor, rushlight.Tensor)):
        values = None if value.device.type == "meta" else repr(value.detach().tolist())
        strides = value.stride() if value.numel() else None
        return "tensor", str(value.dtype), tuple(value.shape), strides, value.requires_grad, values
    if isinstance(value, np.ndarray):
        strides = value.strides if value.size else None
        return "array", value.dtype.str, value.shape, strides, repr(value.tolist())
    if isinstance(value, (pytorch.Size, rushlight.Size)):
        return "Size", tuple(value)
    if type(value) in (tuple, list):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
        return repr(value)
    return repr(value)


def _wording(error: Exception) -> str:
    text = str(error).partition("\nException raised from")[0]
    return text.replace("rushlight.", "torch.").replace("uint64, uint32, uint16, ", "").strip()


def outcome(case: Callable[[Any], Any], module: Any) -> Any:
    """Return the plain result of ``case(module)``, or the type and wording of what it raises; and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(case(module))
        except Exception as error:  # noqa: BLE001
            result = type(error).__name__, _wording(error)
    told = [str(w.message).partition(" (Triggered")[0] for w in caught if w.category is UserWarning]
    return result, told


def assert_same(case: Callable[[Any], Any]) -> None:
    """Check that both libraries do the same."""
    ours, theirs = outcome(case, rushlight), outcome(case, pytorch)
    assert ours == theirs, f"Rushlight: {ours}, PyTorch: {theirs}"
