"""Tensors and modules of PyTorch as Rushlight's, and back, for tests that compare the two."""

from __future__ import annotations

from typing import Any

import torch as pytorch
from torch.utils._pytree import tree_map

import rushlight


def to_rushlight(value: Any) -> Any:
    """Tensors, dtypes and known functions in a nest of tuples, lists and dictionaries as Rushlight's."""
    return tree_map(_one_to_rushlight, value)


def _one_to_rushlight(value: Any) -> Any:
    if isinstance(value, pytorch.Tensor):
        copied = rushlight.tensor(value.detach().contiguous().numpy().copy())
        return copied.requires_grad_(value.requires_grad)
    if isinstance(value, pytorch.dtype):
        return getattr(rushlight, str(value).removeprefix("torch."))
    if value is pytorch.nn.functional.gelu:
        return rushlight.nn.functional.gelu
    return value


def to_pytorch(value: Any) -> Any:
    """The values of Rushlight's tensors in PyTorch's, in a nest of tuples, lists and dictionaries."""
    return tree_map(
        lambda one: (
            pytorch.from_numpy(one.detach().numpy().copy()) if isinstance(one, rushlight.Tensor) else one
        ),
        value,
    )
