"""Hooks that run for every module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rushlight import _C

from ...utils.hooks import RemovableHandle

forward_hooks: OrderedDict = OrderedDict()
forward_hooks_with_kwargs: OrderedDict = OrderedDict()
forward_hooks_always_called: OrderedDict = OrderedDict()
forward_pre_hooks: OrderedDict = OrderedDict()
backward_hooks: OrderedDict = OrderedDict()
backward_pre_hooks: OrderedDict = OrderedDict()
buffer_registration: OrderedDict = OrderedDict()
module_registration: OrderedDict = OrderedDict()
parameter_registration: OrderedDict = OrderedDict()


def _register_call_hook(
    hooks: OrderedDict, hook: Callable, marks: tuple[OrderedDict, ...] = ()
) -> RemovableHandle:
    handle = RemovableHandle(hooks, extra_dict=list(marks))
    hooks[handle.id] = hook
    for marked in marks:
        marked[handle.id] = True
    _C._use_global_module_hooks()
    return handle


def _register(hooks: OrderedDict, hook: Callable) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def run_registration(hooks: OrderedDict, module: Any, name: str, value: Any) -> Any:
    """Passes `value`, about to be registered as `name`, through the registration hooks."""
    for hook in hooks.values():
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, args)` before the `forward` of every module."""
    return _register_call_hook(forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Calls `hook(module, args, output)` after the `forward` of every module."""
    marks = (forward_hooks_with_kwargs,) if with_kwargs else ()
    if always_call:
        marks += (forward_hooks_always_called,)
    return _register_call_hook(forward_hooks, hook, marks)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_output)` before the backward of every module."""
    return _register_call_hook(backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_input, grad_output)` after the backward of every module."""
    return _register_call_hook(backward_hooks, hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, buffer)` when a buffer is registered; what it returns takes its place."""
    return _register(buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, child)` when a child is registered; what it returns takes its place."""
    return _register(module_registration, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, parameter)` when a parameter is registered; what it returns takes its place."""
    return _register(parameter_registration, hook)
