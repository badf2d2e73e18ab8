"""The arguments of `Module.to`."""

from __future__ import annotations

import warnings
from typing import Any

import rushlight
from rushlight import Tensor

_SIGNATURES = """ * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
 * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
 * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
"""  # noqa: E501


def parse_to(args: tuple, kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    """Device, dtype, non_blocking and memory_format out of any of the three forms of `to`'s arguments."""
    first = args[0] if args else None
    if isinstance(first, Tensor) or "tensor" in kwargs:
        names = ("tensor", "non_blocking", "copy")
    elif isinstance(first, rushlight.dtype):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    given = dict(zip(names, args, strict=False))
    allowed = {*names, "device", "dtype", "memory_format"} - ({"device"} if "tensor" in names else set())
    if len(args) > len(names) or given.keys() & kwargs.keys() or not kwargs.keys() <= allowed:
        raise _invalid(args, kwargs)
    given.update(kwargs)

    tensor = given.get("tensor")
    device = given.get("device") if tensor is None else tensor.device
    dtype = given.get("dtype") if tensor is None else tensor.dtype
    non_blocking = given.get("non_blocking", False)
    if dtype is not None and not isinstance(dtype, rushlight.dtype) or not isinstance(non_blocking, bool):
        raise _invalid(args, kwargs)
    if device is not None:
        device = rushlight.device(device)
    _check_dtype(dtype)
    return device, dtype, non_blocking, given.get("memory_format")


def _check_dtype(dtype: Any) -> None:
    if dtype is None:
        return
    if not (dtype.is_floating_point or dtype.is_complex):
        raise TypeError(
            f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
        )
    if dtype.is_complex:
        warnings.warn(
            "Complex modules are a new feature under active development whose design may change, and some modules "
            "might not work as expected when using complex tensors as parameters or buffers. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a complex module does not work "
            "as expected.",
            stacklevel=4,
        )


def _invalid(args: tuple, kwargs: dict[str, Any]) -> TypeError:
    def described(value: Any) -> str:
        kind = type(value)
        return kind.__name__ if kind.__module__ == "builtins" else f"torch.{kind.__name__}"

    got = ", ".join(
        [*map(described, args), *(f"{name}={described(value)}" for name, value in kwargs.items())]
    )
    return TypeError(
        f"to() received an invalid combination of arguments - got ({got}), but expected one of:\n{_SIGNATURES}"
    )
