"""`Module`: the base of all layers and models."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ...utils.hooks import RemovableHandle
from ..parameter import Buffer, Parameter
from . import _backward_hooks, _global_hooks, _registry, _state_dict
from ._conversion import parse_to
from ._global_hooks import (
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

__all__ = [
    "Module",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_HOOK_DICTIONARIES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Module:
    """A part of a model: a function with parameters, buffers (state that is not learnt) and child modules.

    A subclass calls `super().__init__()`, assigns `Parameter`s, `Buffer`s and modules to its attributes, which registers
    them, and defines `forward`. Calling the module calls `forward` between its hooks.

    >>> import rushlight as torch
    >>> class Affine(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = torch.nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.linear(x)
    >>> [name for name, _ in Affine().named_parameters()]
    ['linear.weight', 'linear.bias']
    """

    dump_patches: bool = False
    call_super_init: bool = False
    training: bool
    # Goes into the state dictionary's metadata, so that a later layout can tell an earlier one.
    _version: int = 1
    # True on an instance once a hook that `__call__` must run has been registered on it.
    _hooked: bool = False

    _parameters = _registry.registry_property("_parameters")
    _buffers = _registry.registry_property("_buffers")
    _modules = _registry.registry_property("_modules")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        attributes = self.__dict__
        attributes["training"] = True
        for key in _registry.NAMES_KEY.values():
            attributes[key] = {}
        attributes["_non_persistent_buffers_set"] = set()
        for name in _HOOK_DICTIONARIES:
            attributes[name] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation of the module; every subclass defines its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # Calling

    # `forward`, or `_call_with_hooks` where a hook has been registered: csrc/python/module_call.cpp.
    __call__: Callable[..., Any] = _C._module_call

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        always_called = [
            id_
            for hooks, always in (
                (_global_hooks.forward_hooks, _global_hooks.forward_hooks_always_called),
                (self._forward_hooks, self._forward_hooks_always_called),
            )
            for id_ in hooks
            if id_ in always
        ]
        if not always_called:
            return self._forward_between_hooks(args, kwargs, set())
        called: set[int] = set()
        try:
            return self._forward_between_hooks(args, kwargs, called)
        except Exception:
            self._run_remaining_forward_hooks(args, kwargs, always_called, called)
            raise

    def _forward_between_hooks(self, args: tuple, kwargs: dict[str, Any], called: set[int]) -> Any:
        args, kwargs = self._run_forward_pre_hooks(args, kwargs)
        backward_hooks = self._backward_hooks_of_call()
        if backward_hooks is not None:
            args = backward_hooks.setup_inputs(args)
        result = self.forward(*args, **kwargs)
        for id_, hook, with_kwargs in self._all_forward_hooks():
            called.add(id_)
            replaced = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if replaced is not None:
                result = replaced
        return result if backward_hooks is None else backward_hooks.setup_outputs(result)

    def _run_forward_pre_hooks(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        for id_, hook in (*_global_hooks.forward_pre_hooks.items(), *self._forward_pre_hooks.items()):
            if id_ in self._forward_pre_hooks_with_kwargs:
                replaced = hook(self, args, kwargs)
                if replaced is not None:
                    if not (isinstance(replaced, tuple) and len(replaced) == 2):
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got "
                            f"{replaced}."
                        )
                    args, kwargs = replaced
            else:
                replaced = hook(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        return args, kwargs

    def _all_forward_hooks(self) -> Iterator[tuple[int, Callable, bool]]:
        for id_, hook in list(_global_hooks.forward_hooks.items()):
            yield id_, hook, id_ in _global_hooks.forward_hooks_with_kwargs
        for id_, hook in list(self._forward_hooks.items()):
            yield id_, hook, id_ in self._forward_hooks_with_kwargs

    def _run_remaining_forward_hooks(
        self, args: tuple, kwargs: dict[str, Any], always_called: list[int], called: set[int]
    ) -> None:
        for id_, hook, with_kwargs in self._all_forward_hooks():
            if id_ in always_called and id_ not in called:
                try:
                    hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
                except Exception as error:
                    _backward_hooks.warn_silenced(error)

    def _backward_hooks_of_call(self) -> _backward_hooks.BackwardHooks | None:
        hooks = (*_global_hooks.backward_hooks.values(), *self._backward_hooks.values())
        pre_hooks = (*_global_hooks.backward_pre_hooks.values(), *self._backward_pre_hooks.values())
        if hooks or pre_hooks:
            return _backward_hooks.BackwardHooks(self, hooks, pre_hooks)
        return None

    # Hooks

    def _register_hook(
        self, hooks: OrderedDict, hook: Callable, prepend: bool = False, marks: tuple[OrderedDict, ...] = ()
    ) -> RemovableHandle:
        handle = RemovableHandle(hooks, extra_dict=list(marks))
        hooks[handle.id] = hook
        for marked in marks:
            marked[handle.id] = True
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        self.__dict__["_hooked"] = True
        return handle

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before each `forward`; what it returns, if anything, replaces the arguments.

        `with_kwargs=True` calls `hook(module, args, kwargs)`, which returns None or both of them anew. `prepend=True`
        puts the hook before those already there.
        """
        marks = (self._forward_pre_hooks_with_kwargs,) if with_kwargs else ()
        return self._register_hook(self._forward_pre_hooks, hook, prepend, marks)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after each `forward`; what it returns, if anything, replaces the output.

        `with_kwargs=True` calls `hook(module, args, kwargs, output)`; `always_call=True` calls it even when `forward`
        raised, with an output of None.
        """
        marks = (self._forward_hooks_with_kwargs,) if with_kwargs else ()
        if always_call:
            marks += (self._forward_hooks_always_called,)
        return self._register_hook(self._forward_hooks, hook, prepend, marks)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` once the gradients of the module's inputs are known.

        What it returns, if anything, replaces `grad_input`. An argument that is not a tensor requiring a gradient has
        None in its place.
        """
        return self._register_hook(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before the module's backward; what it returns replaces `grad_output`."""
        return self._register_hook(self._backward_pre_hooks, hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[[Module, str, bool], None]) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before each `state_dict`."""
        return _add(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after each `state_dict`; it may alter the latter."""
        hook._from_public_api = True
        return _add(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return _add(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`
        before the module loads its own entries."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        return _add(self._load_state_dict_pre_hooks, (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after the module has loaded; it may alter the keys in place."""
        return _add(self._load_state_dict_post_hooks, hook)

    # Registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Registers `param` under `name`; None stands for a parameter that is absent.

        Raises TypeError where `name` is not a string or `param` not a leaf `Parameter`, KeyError where the name is
        empty, has a dot, or is taken.
        """
        self._check_name("parameter", "_parameters", name)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None "
                    "required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To express '{name}' as a function of another Tensor, compute the value in the "
                    "forward() method."
                )
            param = _global_hooks.run_registration(_global_hooks.parameter_registration, self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Registers `tensor` under `name` as state that is not learnt; it is saved if it is `persistent`.

        >>> import rushlight as torch
        >>> module = torch.nn.Module()
        >>> module.register_buffer("mean", torch.zeros(3))
        >>> module.mean.shape
        torch.Size([3])
        """
        self._check_name("buffer", "_buffers", name)
        if tensor is not None:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
                )
            tensor = _global_hooks.run_registration(_global_hooks.buffer_registration, self, name, tensor)
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Registers `module` as the child `name`."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name("module", "_modules", name)
        self._modules[name] = _global_hooks.run_registration(
            _global_hooks.module_registration, self, name, module
        )

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def _check_name(self, what: str, kind: str, name: Any) -> None:
        names = self.__dict__.get(_registry.NAMES_KEY[kind])
        if names is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_type_name(name)}")
        if "." in name:
            given = f", got: {name}" if what == "module" else ""
            raise KeyError(f'{what} name can\'t contain "."{given}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in names:
            raise KeyError(f"attribute '{name}' already exists")

    # Attributes

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, "parameters", keep="_parameters")
            self.register_parameter(name, value)
        elif name in attributes.get("_parameters_names", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            attributes[name] = None
        elif isinstance(value, Module):
            self._forget(name, "module", keep="_modules")
            value = _global_hooks.run_registration(_global_hooks.module_registration, self, name, value)
            self._modules[name] = value
        elif name in attributes.get("_modules_names", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            attributes[name] = None
        elif isinstance(value, Buffer) or name in attributes.get("_buffers_names", ()):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                "expected)"
            )
        if isinstance(value, Buffer):
            self._forget(name, "buffers", keep="_buffers")
            self.register_buffer(name, value, value.persistent)
        else:
            if value is not None:
                value = _global_hooks.run_registration(_global_hooks.buffer_registration, self, name, value)
            self._buffers[name] = value

    def _forget(self, name: str, what: str, keep: str) -> None:
        """Takes `name` out of the plain attributes and of every kind but `keep`, to which it is about to be added."""
        attributes = self.__dict__
        kept_names = attributes.get(_registry.NAMES_KEY[keep])
        if kept_names is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if name not in kept_names and name in attributes:
            for key in _registry.NAMES_KEY.values():
                attributes[key].pop(name, None)
            attributes["_non_persistent_buffers_set"].discard(name)
            del attributes[name]

    def __delattr__(self, name: str) -> None:
        attributes = self.__dict__
        for key in _registry.NAMES_KEY.values():
            attributes.get(key, {}).pop(name, None)
        attributes.get("_non_persistent_buffers_set", set()).discard(name)
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        return sorted(name for name in names if not name[:1].isdigit())

    def __getstate__(self) -> dict[str, Any]:
        return _registry.export_state(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(_registry.import_state(state))
        for name in _HOOK_DICTIONARIES:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    # Traversal

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of the module and, with `recurse`, of all modules in it, each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Pairs of dotted name and parameter; a parameter with two names comes once unless `remove_duplicate=False`."""
        return self._members_of_kind("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of the module and, with `recurse`, of all modules in it, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Pairs of dotted name and buffer."""
        return self._members_of_kind("_buffers", prefix, recurse, remove_duplicate)

    def _members_of_kind(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        members = _C._named_members(
            self,
            _registry.NAMES_KEY[kind],
            _registry.NAMES_KEY["_modules"],
            Module.named_modules,
            prefix,
            recurse,
            remove_duplicate,
        )
        if members is not None:
            return iter(members)
        return self._named_members(
            lambda module: _registry.members(module, kind), prefix, recurse, remove_duplicate
        )

    def _named_members(
        self,
        get_members_fn: Callable[[Module], Any],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Pairs of name and direct child."""
        seen = set()
        for name, module in _registry.members(self, "_modules"):
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """The module itself and all modules in it, parents first."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Pairs of dotted name and module, the module itself first.

        >>> import rushlight as torch
        >>> net = torch.nn.Sequential(torch.nn.ReLU())
        >>> [name for name, _ in net.named_modules()]
        ['', '0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in _registry.members(self, "_modules"):
            if module is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, below, remove_duplicate)

    def get_submodule(self, target: str) -> Module:
        """The module at the dotted path `target`; AttributeError where there is none."""
        module: Module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts `module` at the dotted path `target`, whose parent exists; with `strict` it replaces another module."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target: str, accept: Callable[[Module, str, Any], bool], what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        member = getattr(module, name)
        if not accept(module, name, member):
            raise AttributeError(f"`{name}` is not {what}")
        return member

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the dotted path `target`; AttributeError where there is none."""
        return self._get_member(
            target, lambda _, __, member: isinstance(member, Parameter), "an nn.Parameter"
        )

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the dotted path `target`; AttributeError where there is none."""
        return self._get_member(target, lambda module, name, _: name in module._buffers, "a buffer")

    # Modes and conversion

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Calls `fn` on every module in the tree, children first, and returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Sets `training` on every module in the tree, which dropout and batch normalization heed."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """The same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Sets `requires_grad` of every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of all parameters, or fills them with zeros where `set_to_none=False`."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                if parameter.grad.grad_fn is not None:
                    parameter.grad.detach_()
                else:
                    parameter.grad.requires_grad_(False)
                parameter.grad.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._convert_parameter(name, parameter, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def _convert_parameter(self, name: str, parameter: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
        with rushlight.no_grad():
            converted = fn(parameter)
        # A tensor without data and one with data cannot stand for one another, so the parameter is made anew.
        keeps_identity = parameter.is_meta == converted.is_meta
        gradient = parameter.grad
        if keeps_identity:
            parameter.data = converted
        else:
            parameter = Parameter(converted, parameter.requires_grad)
            self._parameters[name] = parameter
        if gradient is not None:
            with rushlight.no_grad():
                converted_gradient = fn(gradient)
            if keeps_identity and gradient.is_meta == converted_gradient.is_meta:
                gradient.data = converted_gradient
            else:
                parameter.grad = converted_gradient.requires_grad_(gradient.requires_grad)

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Moves or converts all parameters and buffers in place, and returns the module.

        Takes what `Tensor.to` takes: a device, a floating-point or complex dtype (integer tensors keep theirs), both,
        or a tensor to follow; `non_blocking`; and `memory_format`, which four- and five-dimensional tensors get.

        >>> import rushlight as torch
        >>> torch.nn.Linear(2, 2).to(torch.float64).weight.dtype
        torch.float64
        """
        device, dtype, non_blocking, memory_format = parse_to(args, kwargs)

        def convert(tensor: Tensor) -> Tensor:
            changed_dtype = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            if tensor.is_meta and device is not None and rushlight.device(device).type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device."
                )
            if memory_format is not None and tensor.dim() in (4, 5):
                return tensor.to(device, changed_dtype, non_blocking, memory_format=memory_format)
            return tensor.to(device, changed_dtype, non_blocking)

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Module:
        """Moves the module to `device` with its tensors left uninitialized."""
        return self._apply(lambda tensor: rushlight.empty_like(tensor, device=device), recurse=recurse)

    def type(self, dst_type: Any) -> Module:
        """Converts all parameters and buffers to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Module:
        """Converts the floating-point parameters and buffers to float32."""
        return self._cast_floating(rushlight.float32)

    def double(self) -> Module:
        """Converts the floating-point parameters and buffers to float64."""
        return self._cast_floating(rushlight.float64)

    def half(self) -> Module:
        """Converts the floating-point parameters and buffers to float16."""
        return self._cast_floating(rushlight.float16)

    def bfloat16(self) -> Module:
        """Converts the floating-point parameters and buffers to bfloat16."""
        return self._cast_floating(rushlight.bfloat16)

    def _cast_floating(self, dtype: Any) -> Module:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def cpu(self) -> Module:
        """Moves all parameters and buffers to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def share_memory(self) -> Module:
        """Moves all parameters and buffers to memory that other processes can share."""
        return self._apply(lambda tensor: tensor.share_memory_())

    # State

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Mapping[str, Any]:
        """All parameters and persistent buffers by dotted name, detached unless `keep_vars`; storage is shared.

        >>> import rushlight as torch
        >>> list(torch.nn.Linear(2, 1).state_dict())
        ['weight', 'bias']
        """
        if args:
            destination, prefix, keep_vars = _positional_state_dict_args(args, destination, prefix, keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for pre_hook in self._state_dict_pre_hooks.values():
            pre_hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if getattr(hook, "_from_public_api", False):
                if result is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif result is not None:
                destination = result
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        persistent = ((k, v) for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set)
        for name, tensor in itertools.chain(self._parameters.items(), persistent):
            if tensor is not None:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._has_extra_state("get_extra_state"):
            destination[prefix + _state_dict.EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def _has_extra_state(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Module, method)

    def get_extra_state(self) -> Any:
        """State besides parameters and buffers; a subclass that has any defines this and `set_extra_state`."""
        raise RuntimeError(_NEVER_CALLED.format("get_extra_state"))

    def set_extra_state(self, state: Any) -> None:
        """Takes what `get_extra_state` gave."""
        raise RuntimeError(_NEVER_CALLED.format("set_extra_state"))

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _state_dict.IncompatibleKeys:
        """Copies the entries of `state_dict` into the parameters and buffers of the same names.

        With `assign` the entries take the places of the module's tensors instead of being copied into them. Returns
        the missing and unexpected keys; with `strict`, any of them is an error, as a wrong shape always is.
        """
        return _state_dict.load_tree(self, state_dict, strict, assign)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        arguments = (state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        for hook, with_module in self._load_state_dict_pre_hooks.values():
            hook(self, *arguments) if with_module else hook(*arguments)
        assign = local_metadata.get("assign_to_params_buffers", False)
        _state_dict.load_module(
            self, state_dict, prefix, assign, strict, missing_keys, unexpected_keys, error_msgs
        )

    # Printing

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses, before the children."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + _indented(repr(module)) for name, module in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


_NEVER_CALLED = (
    "Reached a code path in Module.{}() that should never be called. Please file an issue at "
    "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
)


def _add(hooks: OrderedDict, hook: Any) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _type_name(value: Any) -> str:
    if isinstance(value, Tensor):
        return value.type()
    module = type(value).__module__
    return type(value).__qualname__ if module == "builtins" else f"{module}.{type(value).__qualname__}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _positional_state_dict_args(args: tuple, destination: Any, prefix: str, keep_vars: bool) -> tuple:
    import warnings

    warnings.warn(
        "Positional args are being deprecated, use kwargs instead. Refer to "
        "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
        FutureWarning,
        stacklevel=3,
    )
    given = (destination, prefix, keep_vars)
    return (*args, *given[len(args) :])[:3]
