"""Loading a state dictionary into one module and into a tree of them."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import Any

import rushlight
from rushlight import Tensor

from ..parameter import Parameter

EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: the keys that the module misses, and those that it does not know."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


def load_tree(module: Any, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    metadata = getattr(state_dict, "_metadata", None)
    remaining = OrderedDict(state_dict)
    if metadata is not None:
        remaining._metadata = metadata
    keys = IncompatibleKeys([], [])
    errors: list[str] = []

    def load(module: Any, state_dict: Mapping[str, Any], prefix: str) -> None:
        local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            local_metadata["assign_to_params_buffers"] = True
        module._load_from_state_dict(
            state_dict, prefix, local_metadata, True, keys.missing_keys, keys.unexpected_keys, errors
        )
        for name, child in module._modules.items():
            if child is not None:
                child_prefix = prefix + name + "."
                part = OrderedDict((k, v) for k, v in state_dict.items() if k.startswith(child_prefix))
                load(child, part, child_prefix)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                    "values, if incompatible_keys need to be modified, it should be done inplace."
                )

    load(module, remaining, "")
    if strict:
        errors = _strict_errors(keys) + errors
    if errors:
        listed = "\n\t".join(errors)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{listed}")
    return keys


def _strict_errors(keys: IncompatibleKeys) -> list[str]:
    named = {"Missing": keys.missing_keys, "Unexpected": keys.unexpected_keys}
    return [
        f"{kind} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names) + ". "
        for kind, names in named.items()
        if names
    ]


def load_module(
    module: Any,
    state_dict: Mapping[str, Any],
    prefix: str,
    assign: bool,
    strict: bool,
    missing_keys: list[str],
    unexpected_keys: list[str],
    errors: list[str],
) -> None:
    """Copies the entries under `prefix` that are `module`'s own, and not its children's, into it."""
    persistent = {k: v for k, v in module._buffers.items() if k not in module._non_persistent_buffers_set}
    state = {k: v for k, v in {**module._parameters, **persistent}.items() if v is not None}
    for name, target in state.items():
        key = prefix + name
        if key in state_dict:
            _load_entry(module, name, target, key, state_dict[key], assign, errors)
        elif strict:
            missing_keys.append(key)

    extra_state_key = prefix + EXTRA_STATE_KEY_SUFFIX
    if module._has_extra_state("set_extra_state"):
        if extra_state_key in state_dict:
            module.set_extra_state(state_dict[extra_state_key])
        elif strict:
            missing_keys.append(extra_state_key)
    elif strict and extra_state_key in state_dict:
        unexpected_keys.append(extra_state_key)

    if strict:
        for key in state_dict:
            if key.startswith(prefix) and key != extra_state_key:
                name, *below = key[len(prefix) :].split(".", 1)
                if name not in (module._modules if below else state):
                    unexpected_keys.append(key)


def _load_entry(
    module: Any, name: str, target: Tensor, key: str, value: Any, assign: bool, errors: list[str]
) -> None:
    if not isinstance(value, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(value)}"
        )
        return
    # A scalar was one-dimensional in the oldest checkpoints.
    if target.dim() == 0 and value.dim() == 1 and value.shape[0] == 1:
        value = value[0]
    if value.shape != target.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in "
            f"current model is {target.shape}."
        )
        return
    if target.is_meta and not value.is_meta and not assign:
        warnings.warn(
            f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
            "model, which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary to "
            "their corresponding key in the module instead of copying them in place?)",
            stacklevel=4,
        )
    try:
        with rushlight.no_grad():
            if assign:
                setattr(module, name, _assignable(value, target))
            else:
                target.copy_(value)
    except Exception as error:
        errors.append(
            f'While copying the parameter named "{key}", whose dimensions in the model are {target.size()} and whose '
            f"dimensions in the checkpoint are {value.size()}, an exception occurred : {error.args}."
        )


def _assignable(value: Tensor, target: Tensor) -> Tensor:
    if not isinstance(target, Parameter):
        return value
    if isinstance(value, Parameter):
        return value.requires_grad_(target.requires_grad)
    return Parameter(value, requires_grad=target.requires_grad)
