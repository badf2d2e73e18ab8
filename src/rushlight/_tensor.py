"""The Python half of Tensor: what is not an operator and no hot path. Importing this completes the class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rushlight import _C, ops
from rushlight._C import Tensor


def _backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | Tensor | None = None,
) -> None:
    """Add the gradients of this tensor to the ``grad`` of the leaves; see `rushlight.autograd.backward`."""
    if inputs is None:
        retain = create_graph if retain_graph is None else retain_graph
        _C._backward((self,), (gradient,), (), retain, create_graph, True, True)
        return
    from rushlight.autograd import backward

    backward(self, gradient, retain_graph, create_graph, inputs)


class _HookHandle:
    """Removes a hook from a tensor, at once or at the end of a ``with`` block."""

    def __init__(self, remove: Callable[[int], None], number: int) -> None:
        self._remove, self.id = remove, number

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self._remove(self.id)

    def __enter__(self) -> _HookHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def _register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> _HookHandle:
    """Call ``hook(grad)`` whenever a gradient of this tensor is computed; what it returns replaces it.

    Raises RuntimeError for a tensor that does not require grad.
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return _HookHandle(self._remove_gradient_hook, self._add_gradient_hook(hook))


def _register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> _HookHandle:
    """Call ``hook(tensor)`` each time this leaf's gradient has been accumulated."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return _HookHandle(self._remove_post_accumulate_hook, self._add_post_accumulate_hook(hook))


def _repr(self: Tensor, *, tensor_contents: str | None = None) -> str:
    from rushlight import _tensor_str

    return _tensor_str._str(self, tensor_contents=tensor_contents)


def _format(self: Tensor, format_spec: str) -> str:
    if self.dim() == 0 and not self.is_meta and type(self) is Tensor:
        return self.item().__format__(format_spec)
    return object.__format__(self, format_spec)


def _iter(self: Tensor) -> Iterator[Tensor]:
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def _contains(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float, complex)):
        return bool((element == self).any().item())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
    )


def _reduce_ex(self: Tensor, protocol: int) -> Any:
    from rushlight import _utils

    return _utils._reduce_tensor(self, protocol)


def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    from rushlight import _utils

    return _utils._deepcopy_tensor(self, memo)


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The type as a string such as ``torch.FloatTensor``, or a copy of another type."""
    if dtype is None:
        return f"torch.{_CLASS_NAMES[self.dtype]}"
    if isinstance(dtype, str):
        dtype = next(key for key, name in _CLASS_NAMES.items() if dtype == f"torch.{name}")
    return self.to(getattr(dtype, "dtype", dtype), non_blocking=non_blocking)


_CLASS_NAMES = {
    _C._dtypes[name]: class_name
    for name, class_name in {
        "bool": "BoolTensor",
        "uint8": "ByteTensor",
        "int8": "CharTensor",
        "int16": "ShortTensor",
        "int32": "IntTensor",
        "int64": "LongTensor",
        "float16": "HalfTensor",
        "bfloat16": "BFloat16Tensor",
        "float32": "FloatTensor",
        "float64": "DoubleTensor",
        "complex64": "ComplexFloatTensor",
        "complex128": "ComplexDoubleTensor",
    }.items()
}


def _torch_function(
    cls: type,
    func: Callable[..., Any],
    types: Sequence[type],
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> Any:
    """What operators do on subclasses: the plain operator, its tensors made tensors of the subclass."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    previous = _C._set_torch_function_enabled(False)
    try:
        result = func(*args, **(kwargs or {}))
        return _as_subclass(result, cls)
    finally:
        _C._set_torch_function_enabled(previous)


def _as_subclass(result: Any, cls: type) -> Any:
    if isinstance(result, Tensor) and not isinstance(result, cls):
        return result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        items = [_as_subclass(item, cls) for item in result]
        return type(result)(items if not hasattr(result, "_fields") else items)
    return result


def _module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    return other if assign else self.copy_(other)


def _share_memory(self: Tensor) -> Tensor:
    """Move the storage into memory that processes share; does nothing when it is there."""
    self.untyped_storage().share_memory_()
    return self


def _where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """``rushlight.where(condition, self, other)``."""
    return _C.where(condition, self, other)


def _polygamma(self: Tensor, n: int) -> Tensor:
    """``rushlight.polygamma(n, self)``."""
    return _C.polygamma(n, self)


def _reversed(self: Tensor) -> Tensor:
    """The tensor with its first dimension, or a zero-dim tensor, reversed."""
    return self if self.dim() == 0 else self.flip(0)


def _apply_(self: Tensor, function: Callable[[Any], Any]) -> Tensor:
    """Replace each element by ``function(element)``, one by one in Python: slow.

    Raises RuntimeError for a tensor that requires grad.
    """
    if self.requires_grad:
        raise RuntimeError(
            "Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead."
        )
    values = [function(value) for value in self.reshape(-1).tolist()]
    return self.copy_(self.new_tensor(values).reshape(self.shape))


def _map_(self: Tensor, other: Tensor, function: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by ``function(element, other's element)``, one by one in Python: slow.

    Raises RuntimeError for tensors that require grad.
    """
    if self.requires_grad or other.requires_grad:
        raise RuntimeError(
            "Can't call map_() on Variable that requires grad. Use var.detach().map_() instead."
        )
    pairs = zip(self.reshape(-1).tolist(), other.expand(self.shape).reshape(-1).tolist(), strict=True)
    return self.copy_(self.new_tensor([function(a, b) for a, b in pairs]).reshape(self.shape))


def _is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both tensors see the same memory in the same way."""
    return (
        self.untyped_storage()._cdata == tensor.untyped_storage()._cdata
        and self.storage_offset() == tensor.storage_offset()
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
    )


_METHODS: dict[str, Any] = {
    "__reversed__": _reversed,
    "apply_": _apply_,
    "map_": _map_,
    "is_set_to": _is_set_to,
    "is_same_size": lambda self, other: self.shape == other.shape,
    "is_nonzero": lambda self: bool(self),
    "is_pinned": lambda self, device=None: False,
    "where": _where,
    "polygamma": _polygamma,
    "backward": _backward,
    "register_hook": _register_hook,
    "register_post_accumulate_grad_hook": _register_post_accumulate_grad_hook,
    "__repr__": _repr,
    "__format__": _format,
    "__iter__": _iter,
    "__contains__": _contains,
    "__reduce_ex__": _reduce_ex,
    "__deepcopy__": _deepcopy,
    "__torch_function__": classmethod(_torch_function),
    "__array_priority__": 1000,
    "type": _type,
    "is_shared": lambda self: self.untyped_storage().is_shared(),
    "share_memory_": _share_memory,
    "get_device": lambda self: -1,
    "cpu": lambda self, memory_format=None: self.to("cpu"),
}


def _complete() -> None:
    for name, value in {**ops.methods(), **_METHODS}.items():
        if (
            callable(value)
            and hasattr(value, "__name__")
            and value.__name__.startswith("_")
            and name.isidentifier()
        ):
            value.__name__ = name
            value.__qualname__ = f"Tensor.{name}"
        setattr(Tensor, name, value)


_complete()
