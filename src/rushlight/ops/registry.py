"""The registry of composite operators: Python functions on top of native ones, found under PyTorch's names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rushlight


@dataclass(frozen=True)
class Composite:
    """One composite operator: its schema as text, where it is written, and the forms it has."""

    name: str
    schema: str
    function: Callable[..., Any]
    method: bool
    inplace: bool

    @property
    def file(self) -> str:
        """Path of the source file."""
        return inspect.unwrap(self.function).__code__.co_filename

    @property
    def line(self) -> int:
        """Line of the definition, its decorators included."""
        return inspect.unwrap(self.function).__code__.co_firstlineno

    @property
    def doc(self) -> str:
        """The docstring."""
        return inspect.getdoc(self.function) or ""


_composites: dict[str, Composite] = {}


def operator(
    schema: str, *, method: bool = False, inplace: bool = False, out: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the operator that the schema names.

    Args:
        schema: PyTorch's schema text; the name may be dotted, as in ``linalg.inv``.
        method: whether it is a method of Tensor too.
        inplace: whether Tensor has it with a trailing underscore, writing into its first argument.
        out: whether it takes ``out=``, results copied into the tensors given.
    """
    name = schema[: schema.index("(")]

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        public = _with_out(function, name) if out else function
        _composites[name] = Composite(name, schema, public, method, inplace)
        return public

    return register


def alias(name: str, function: Callable[..., Any], *, method: bool = False) -> None:
    """Register a second name of a composite operator."""
    known = next(item for item in _composites.values() if item.function is function)
    schema = name + known.schema[known.schema.index("(") :]
    _composites[name] = Composite(name, schema, function, method, inplace=False)


def composites() -> dict[str, Composite]:
    """All registered operators by name."""
    return _composites


def namespace(prefix: str) -> dict[str, Callable[..., Any]]:
    """The functions of one dotted namespace: ``inv`` for ``linalg.inv``."""
    start = f"{prefix}."
    found = _composites.items()
    return {name[len(start) :]: item.function for name, item in found if name.startswith(start)}


def methods() -> dict[str, Callable[..., Any]]:
    """The functions that Tensor has as methods, in-place forms included."""
    found = {}
    for name, item in _composites.items():
        short = name.rsplit(".", 1)[-1]
        if item.method:
            found[short] = item.function
        if item.inplace:
            found[f"{short}_"] = _in_place(item.function, f"{short}_")
    return found


def _with_out(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return function(*args, **kwargs)
        _refuse_gradient(name, (*args, *kwargs.values()))
        return write_out(out, function(*args, **kwargs))

    return call


def _refuse_gradient(name: str, arguments: tuple[Any, ...]) -> None:
    if rushlight.is_grad_enabled() and any(getattr(item, "requires_grad", False) for item in arguments):
        raise RuntimeError(
            f"{name.rsplit('.', 1)[-1]}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad."
        )


def write_out(out: Any, result: Any) -> Any:
    """Copy a result, or several, into the tensors given, resized where their shapes differ; return those."""
    if isinstance(result, rushlight.Tensor):
        _write_one(out, result)
        return out
    if len(out) != len(result):
        raise TypeError(f"expected tuple of {len(result)} elements but got {len(out)}")
    for target, value in zip(out, result):
        _write_one(target, value)
    return out


def _write_one(out: Any, result: Any) -> None:
    if not rushlight.can_cast(result.dtype, out.dtype):
        raise RuntimeError(
            f"result type {type_name(result.dtype)} can't be cast to the desired output type "
            f"{type_name(out.dtype)}"
        )
    with rushlight.no_grad():
        if out.shape != result.shape:
            out.resize_(result.shape)
        out.copy_(result)


_TYPE_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def type_name(dtype: Any) -> str:
    """PyTorch's name of a dtype in its messages."""
    return _TYPE_NAMES[str(dtype).rsplit(".", 1)[-1]]


def _in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.copy_(function(self, *args, **kwargs))

    call.__name__ = name
    return call
