"""Tensors that a `Module` registers by being assigned: learnable parameters, and buffers."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import _C, Tensor

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A tensor that is learnt: assigned to a `Module`'s attribute, it joins `module.parameters()`.

    It shares `data`'s storage (an empty tensor if None), is a leaf, and requires a gradient unless
    `requires_grad=False`.

    >>> import rushlight as torch
    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> weight.requires_grad, weight.is_leaf
    (True, True)
    """

    # Results of operators on parameters are plain tensors.
    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = rushlight.empty(0)
        return Tensor._make_subclass(cls, data, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copied = self.data.clone(memory_format=rushlight.preserve_format)
            memo[id(self)] = type(self)(copied, self.requires_grad)
        return memo[id(self)]


class _BufferMeta(type(Tensor)):
    # A buffer is a plain Tensor that carries a mark, so operators and printing treat it as any other.
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that is state but is not learnt: assigned to a `Module`'s attribute, it joins `module.buffers()`.

    A buffer that is not `persistent` is left out of the module's `state_dict`.

    >>> import rushlight as torch
    >>> module = torch.nn.Module()
    >>> module.count = torch.nn.Buffer(torch.zeros(()))
    >>> list(module.state_dict())
    ['count']
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = rushlight.empty(0)
        buffer = data.detach().requires_grad_(data.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer
