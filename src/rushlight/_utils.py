"""Rebuilding and copying tensors: what pickling, checkpoints and ``copy.deepcopy`` stand on."""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any


class _TypedStorage:
    """An untyped storage seen as elements of one dtype; `untyped` is None on the meta device."""

    __slots__ = ("dtype", "untyped")

    def __init__(self, untyped: Any, dtype: Any) -> None:
        self.untyped = untyped
        self.dtype = dtype

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_typed_storage, (bytes(memoryview(self.untyped)), self.dtype)


def _is_parameter(tensor: Any) -> bool:
    # Where `nn` has not been loaded there are no parameters, and loading it takes its time.
    module = sys.modules.get("rushlight.nn.parameter")
    return module is not None and isinstance(tensor, module.Parameter)


def _load_typed_storage(data: bytes, dtype: Any) -> _TypedStorage:
    return _TypedStorage(_storage_from_bytes(data), dtype)


def _storage_from_bytes(data: Any) -> Any:
    """Return a new `UntypedStorage` that holds a copy of `data`, any object with the buffer protocol."""
    import rushlight

    source = memoryview(data).cast("B")
    storage = rushlight.UntypedStorage(source.nbytes)
    if source.nbytes:
        memoryview(storage).cast("B")[:] = source
    return storage


def _check_layout(storage_offset: Any, size: Sequence[Any], stride: Sequence[Any]) -> None:
    values = [storage_offset, *size, *stride]
    if any(type(value) is not int for value in values):
        raise RuntimeError("a tensor's size, stride and storage offset must be integers")
    if min(values) < 0 or max(values) >= 1 << 63:
        raise RuntimeError(
            f"invalid tensor layout: size {tuple(size)}, stride {tuple(stride)}, "
            f"storage offset {storage_offset}"
        )
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {tuple(stride)} and {tuple(size)}")


def _rebuild_tensor(
    storage: Any, dtype: Any, storage_offset: int, size: Sequence[int], stride: Sequence[int]
) -> Any:
    import rushlight

    _check_layout(storage_offset, size, stride)
    if storage is None:
        return rushlight.empty_strided(tuple(size), tuple(stride), dtype=dtype, device="meta")
    return rushlight._C._tensor_from_storage(storage, dtype, storage_offset, tuple(size), tuple(stride))


def _finish(tensor: Any, requires_grad: bool, metadata: dict[str, bool] | None) -> Any:
    if metadata and metadata.get("conj"):
        tensor = tensor.conj()
    if metadata and metadata.get("neg"):
        tensor = tensor.neg()
    return tensor.requires_grad_() if requires_grad else tensor


def _rebuild_tensor_v2(
    storage: _TypedStorage,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    metadata: dict[str, bool] | None = None,
) -> Any:
    tensor = _rebuild_tensor(storage.untyped, storage.dtype, storage_offset, size, stride)
    return _finish(tensor, requires_grad, metadata)


def _rebuild_tensor_v3(
    storage: Any,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    dtype: Any,
    metadata: dict[str, bool] | None = None,
) -> Any:
    untyped = storage.untyped if isinstance(storage, _TypedStorage) else storage
    return _finish(_rebuild_tensor(untyped, dtype, storage_offset, size, stride), requires_grad, metadata)


def _rebuild_meta_tensor_no_storage(
    dtype: Any, size: Sequence[int], stride: Sequence[int], requires_grad: bool
) -> Any:
    return _finish(_rebuild_tensor(None, dtype, 0, size, stride), requires_grad, None)


def _rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Any:
    import rushlight

    return rushlight.nn.Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data: Any, requires_grad: bool, backward_hooks: Any, state: Any) -> Any:
    return _set_state(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_from_type_v2(
    function: Callable[..., Any], new_type: type, args: tuple[Any, ...], state: Any
) -> Any:
    tensor = function(*args)
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    if "__setstate__" in vars(new_type):
        tensor.__setstate__(state)
        return tensor
    return _set_state(tensor, state)


def _slot_names(cls: type) -> list[str]:
    names: list[str] = []
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names.extend([slots] if isinstance(slots, str) else slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _get_state(tensor: Any) -> Any:
    """Return the attributes given to a tensor: a dictionary, with a second one for slots where there are any."""
    attributes = dict(getattr(tensor, "__dict__", {}))
    slots = {name: getattr(tensor, name) for name in _slot_names(type(tensor)) if hasattr(tensor, name)}
    return (attributes, slots) if slots else attributes


def _set_state(tensor: Any, state: Any) -> Any:
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for name, value in {**(attributes or {}), **(slots or {})}.items():
        setattr(tensor, name, value)
    return tensor


def _reduce_plain(tensor: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    size, stride = tuple(tensor.size()), tuple(tensor.stride())
    if tensor.device.type == "meta":
        return _rebuild_meta_tensor_no_storage, (tensor.dtype, size, stride, tensor.requires_grad)
    storage = _TypedStorage(tensor.untyped_storage(), tensor.dtype)
    args = (storage, tensor.storage_offset(), size, stride, tensor.requires_grad, OrderedDict())
    return _rebuild_tensor_v2, args


def _reduce_tensor(tensor: Any, protocol: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what ``Tensor.__reduce_ex__`` returns: a function and the arguments that make the tensor again.

    Example:
        >>> import rushlight as torch, pickle
        >>> pickle.loads(pickle.dumps(torch.arange(3)))
        tensor([0, 1, 2])
    """
    import rushlight

    state = _get_state(tensor)
    if _is_parameter(tensor):
        args = (tensor.data, tensor.requires_grad, OrderedDict())
        return (_rebuild_parameter_with_state, (*args, state)) if state else (_rebuild_parameter, args)
    function, args = _reduce_plain(tensor)
    if type(tensor) is rushlight.Tensor and not state:
        return function, args
    return _rebuild_from_type_v2, (function, type(tensor), args, state)


def _copy_storage(storage: Any, memo: dict[int, Any]) -> Any:
    """Copy a storage once per deep copy, so that tensors which share it share the copy."""
    copies = memo.setdefault("rushlight storages", {})
    if storage._cdata not in copies:
        copies[storage._cdata] = _storage_from_bytes(storage)
    return copies[storage._cdata]


def _deepcopy_tensor(tensor: Any, memo: dict[int, Any]) -> Any:
    """Return what ``Tensor.__deepcopy__`` returns: the tensor again on a copy of its storage.

    Raises:
        RuntimeError: the tensor is not a leaf of the graph.

    Example:
        >>> import rushlight as torch, copy
        >>> a = torch.arange(4)
        >>> b, c = copy.deepcopy([a, a[2:]])
        >>> b[3] = 9
        >>> c
        tensor([2, 9])
    """
    import rushlight

    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a "
            "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if tensor.device.type == "meta":
        storage, offset = None, 0
    else:
        storage, offset = _copy_storage(tensor.untyped_storage(), memo), tensor.storage_offset()
    result = _rebuild_tensor(storage, tensor.dtype, offset, tuple(tensor.size()), tuple(tensor.stride()))
    if type(tensor) is not rushlight.Tensor:
        result = result.as_subclass(type(tensor))
    memo[id(tensor)] = result
    if tensor.requires_grad:
        result.requires_grad_()
    if tensor.grad is not None:
        result.grad = copy.deepcopy(tensor.grad, memo)
    return _set_state(result, copy.deepcopy(_get_state(tensor), memo))
