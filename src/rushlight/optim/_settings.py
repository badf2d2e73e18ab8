"""Checks of settings, and pieces of updates, that optimizers share."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import Tensor


def check_learning_rate(lr: float | Tensor) -> None:
    """ValueError where the rate is negative, or a tensor of several elements."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_not_negative(**settings: float) -> None:
    """ValueError where a setting is negative."""
    spoken = {"eps": "epsilon", "momentum": "momentum", "weight_decay": "weight_decay"}
    for name, value in settings.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {spoken.get(name, name)} value: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """ValueError where a decay rate is not within [0, 1)."""
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """RuntimeError where ways of stepping are asked for that exclude one another."""
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def refuse_capturable(group: dict[str, Any]) -> None:
    """AssertionError where a step is to be captured in a graph, which the CPU does not do."""
    if group.get("capturable"):
        raise AssertionError(
            "If capturable=True, params and state_steps must be on supported devices: "
            "['cuda', 'xpu', 'hpu', 'privateuseone', 'xla']."
        )


def step_count() -> Tensor:
    """A new count of steps: a tensor, as PyTorch's checkpoints have it."""
    return rushlight.tensor(0.0, dtype=count_dtype())


def count_dtype() -> Any:
    """The dtype of counts: float64 where that is the default dtype, float32 elsewhere."""
    return rushlight.float64 if rushlight.get_default_dtype() == rushlight.float64 else rushlight.float32


def number(value: Any) -> float:
    """A setting that may be a tensor, as a number."""
    return value.item() if isinstance(value, Tensor) else value


def plain(group: dict[str, Any]) -> dict[str, Any]:
    """The settings of a group, tensors among them as numbers."""
    return {
        name: tuple(map(number, value)) if isinstance(value, tuple) else number(value)
        for name, value in group.items()
    }


def real_view(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, over the same memory; real numbers as they are."""
    return rushlight.view_as_real(tensor) if tensor.is_complex() else tensor
