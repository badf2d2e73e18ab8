"""The entries of PyTorch's op_db and their counterparts in Rushlight."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import rushlight
import torch
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.common_methods_invocations import op_db

from .translate import TensorCopier, attribute, translate_callable

DTYPES = (
    torch.float32,
    torch.float64,
    torch.int64,
    torch.bool,
    torch.complex64,
    torch.bfloat16,
)

# Their values are whatever memory held, so that only shape, strides and dtype can be compared.
UNDEFINED_VALUES = frozenset(
    {
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "resize_",
        "resize_as_",
    }
)


# PyTorch leaves open in which order these put equal elements: they are given inputs without any,
# bool excepted, where the reference sorts stably.
ORDERING = frozenset({"sort", "argsort", "msort", "topk", "kthvalue", "mode"})

# What PyTorch 2.13 itself gets wrong; shown, but neither passing nor failing here.
PYTORCH_DEFECTS = {
    "as_strided_scatter": "PyTorch passes the gradient on to an input that was wholly overwritten by a scalar",
    "special.bessel_j0": "PyTorch's value is off by up to 4e-7 in double precision (against SciPy)",
    "special.bessel_y1": "PyTorch's value is off by up to 9e-7 in double precision (against SciPy)",
}


def entry_name(entry: Any) -> str:
    """The entry's name with its variant, unique in op_db."""
    return f"{entry.name}.{entry.variant_test_name}" if entry.variant_test_name else entry.name


def entries() -> dict[str, Any]:
    """All of op_db by name, in its order."""
    return {entry_name(entry): entry for entry in op_db}


def _is_wrapper(function: Any) -> bool:
    return isinstance(function, types.FunctionType) and ".testing." in function.__module__


def _named(entry: Any) -> Any:
    """What the entry's name stands for under rushlight: a function, else a method, else None."""
    path = entry.name.removeprefix("torch.")
    found = None if path.startswith("ops.") else attribute(rushlight, path)
    if found is None or isinstance(found, (type, types.ModuleType)) or type(found) is rushlight.dtype:
        found = attribute(rushlight.Tensor, path)
    return found if found is not None else attribute(rushlight.Tensor, f"{path}_")


def counterpart(entry: Any) -> Callable[..., Any] | None:
    """The function to compare with the entry's, or None where Rushlight does not have it.

    Where the entry calls PyTorch through a wrapper of its own, that wrapper runs over Rushlight.
    An entry that supports none of the compared dtypes on CPU has no counterpart to compare.
    """
    found = _named(entry)
    if found is None or not dtypes(entry):
        return None
    if _is_wrapper(entry.op):
        return translate_callable(entry.op, TensorCopier(rushlight))
    return found


def reference_of(entry: Any) -> Callable[..., Any]:
    """PyTorch's function that the entry is held against."""
    if entry.name not in ("sort", "argsort"):
        return entry.op

    def stable(input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        named = dict(zip(("dim", "descending"), args))
        return entry.op(input, **{"stable": True, **named, **kwargs})

    return stable


def form_counterpart(form: Any) -> Callable[..., Any] | None:
    """Rushlight's counterpart of a method or in-place form that an entry names, or None."""
    if isinstance(form, functools.partial):
        function = form_counterpart(form.func)
        return function and functools.partial(function, *form.args, **form.keywords)
    if _is_wrapper(form):
        return translate_callable(form, TensorCopier(rushlight))
    if getattr(form, "__module__", None) == "torch.nn.functional":
        return attribute(rushlight.nn.functional, form.__name__)
    return attribute(rushlight.Tensor, form.__name__)


def dtypes(entry: Any) -> list[torch.dtype]:
    """The compared dtypes that the entry supports on CPU."""
    supported = entry.supported_dtypes("cpu")
    return [dtype for dtype in DTYPES if dtype in supported]


def differentiable(entry: Any, dtype: torch.dtype) -> bool:
    """Whether the entry has a gradient at this dtype."""
    floating = dtype.is_floating_point or dtype.is_complex
    return entry.supports_autograd and floating and dtype in entry.supported_backward_dtypes("cpu")


def tolerance(entry: Any, dtype: torch.dtype) -> dict[str, float]:
    """assert_close's own tolerance for the dtype, or the one that op_db declares for the entry."""
    overrides = [
        item.d
        for decorator in entry.decorators
        if getattr(decorator, "device_type", None) in (None, "cpu")
        for item in getattr(decorator, "decorators", None) or ()
        if isinstance(item, toleranceOverride)
    ]
    declared = [override[dtype] for override in overrides if dtype in override]
    if not declared:
        return {}
    return {"atol": max(item.atol for item in declared), "rtol": max(item.rtol for item in declared)}
