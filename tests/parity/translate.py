"""Carry values between PyTorch and Rushlight: tensors with their layout, types, and the functions of op_db."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import rushlight
import torch

SEED = 42


def seeded(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for op_db's wrapper of random operators, which seeds before it calls."""
    rushlight.manual_seed(SEED)
    return op(*args, **kwargs)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Detached, without lazy conjugation or negation."""
    return tensor.detach().resolve_conj().resolve_neg()


def _whole_storage(tensor: torch.Tensor) -> torch.Tensor:
    storage = tensor.untyped_storage()
    count = storage.nbytes() // tensor.element_size()
    return torch.empty(0, dtype=tensor.dtype).set_(storage, 0, (count,))


class TensorCopier:
    """Copies PyTorch tensors into one backend, keeping strides, offsets, aliasing and requires_grad.

    A tensor that occurs twice becomes one tensor that occurs twice. `leaves` lists, in order of
    occurrence, the copies that require a gradient.
    """

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.copies: dict[int, Any] = {}
        self.originals: list[torch.Tensor] = []
        self.leaves: list[Any] = []

    def __call__(self, tensor: torch.Tensor) -> Any:
        if id(tensor) not in self.copies:
            self.originals.append(tensor)
            copy = self._copy(_plain(tensor))
            if tensor.requires_grad:
                copy = copy.requires_grad_(True)
                self.leaves.append(copy)
            self.copies[id(tensor)] = copy
        return self.copies[id(tensor)]

    def _copy(self, tensor: torch.Tensor) -> Any:
        flat = _whole_storage(tensor).clone()
        size, stride, offset = tuple(tensor.shape), tensor.stride(), tensor.storage_offset()
        if self.backend is torch:
            return flat.as_strided(size, stride, offset)
        copy = to_rushlight(flat)
        if tensor.is_contiguous() and offset == 0 and flat.numel() == tensor.numel():
            return copy if copy.shape == size else copy.view(size)
        return copy.as_strided(size, stride, offset)


class WideCopier(TensorCopier):
    """Copies into PyTorch in double precision, to have the value that rounding hides."""

    def __init__(self) -> None:
        super().__init__(torch)

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        return widen(super()._copy(tensor))


def widen(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in double precision, where it is of a floating or complex type."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def to_rushlight(tensor: torch.Tensor) -> Any:
    """A contiguous PyTorch tensor as a Rushlight tensor of its own memory."""
    if tensor.dtype == torch.bfloat16:
        array = tensor.view(torch.int16).numpy().copy()
        return rushlight.from_numpy(array).view(rushlight.bfloat16)
    return rushlight.from_numpy(tensor.numpy().copy())


def to_torch(tensor: Any) -> torch.Tensor:
    """A Rushlight tensor as a contiguous PyTorch tensor of its own memory."""
    tensor = tensor.detach()
    for resolve in ("resolve_conj", "resolve_neg"):
        if hasattr(tensor, resolve):
            tensor = getattr(tensor, resolve)()
    if str(tensor.dtype).endswith("bfloat16"):
        array = np.array(tensor.contiguous().view(rushlight.int16).numpy())
        return torch.from_numpy(array).view(torch.bfloat16)
    return torch.from_numpy(np.array(tensor.numpy()))


def attribute(root: Any, path: str) -> Any:
    """root.a.b for "a.b", or None where some part of the path is absent."""
    for name in path.split("."):
        root = getattr(root, name, None)
        if root is None:
            return None
    return root


def _name(value: Any) -> str:
    return str(value).rsplit(".", 1)[-1]


def translate(value: Any, copier: TensorCopier) -> Any:
    """`value` with everything of PyTorch's in it replaced by the copier's backend's counterpart."""
    backend = copier.backend
    if isinstance(value, torch.Tensor):
        return copier(value)
    if isinstance(value, torch.Size):
        return backend.Size(value)
    if type(value) in (list, tuple):
        return type(value)(translate(item, copier) for item in value)
    if isinstance(value, dict):
        return {key: translate(item, copier) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(translate(part, copier) for part in (value.start, value.stop, value.step)))
    if backend is torch:
        return value
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return getattr(backend, _name(value))
    if isinstance(value, torch.device):
        return backend.device(str(value))
    if isinstance(value, torch.nn.Module):
        return attribute(backend, f"nn.{type(value).__name__}")()
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.ModuleType)):
        return translate_callable(value, copier)
    return value


def _code_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _code_names(constant)
    return names


def translate_callable(value: Any, copier: TensorCopier) -> Any:
    """A function or module of PyTorch's by its path; a function of op_db re-run over Rushlight."""
    if isinstance(value, types.ModuleType):
        if value is torch:
            return rushlight
        name = value.__name__
        return attribute(rushlight, name[len("torch.") :]) if name.startswith("torch.") else value
    if getattr(value, "__name__", "") == "wrapper_set_seed":
        return seeded
    module = getattr(value, "__module__", "") or ""
    if module == "torch" or (module.startswith("torch.") and "._internal" not in module):
        path = f"{module}.{value.__name__}".removeprefix("torch.")
        return attribute(rushlight, path) or attribute(rushlight, value.__name__)
    if not isinstance(value, types.FunctionType) or not module.startswith("torch."):
        return value
    return _rebuild(value, copier)


def _rebuild(function: types.FunctionType, copier: TensorCopier) -> types.FunctionType:
    """The same code with its globals, defaults and closure translated."""
    scope: dict[str, Any] = {"__builtins__": __builtins__}
    for name in _code_names(function.__code__):
        if name in function.__globals__:
            scope[name] = translate(function.__globals__[name], copier)
    cells = tuple(
        types.CellType(translate(cell.cell_contents, copier)) for cell in function.__closure__ or ()
    )
    defaults = translate(function.__defaults__, copier)
    rebuilt = types.FunctionType(function.__code__, scope, function.__name__, defaults, cells)
    rebuilt.__kwdefaults__ = translate(function.__kwdefaults__, copier)
    return rebuilt
