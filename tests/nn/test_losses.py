"""Losses: their place on the graph, as PyTorch names it, and their weights' gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch as pytorch

import rushlight
from rushlight.autograd import gradcheck, gradgradcheck

LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse_loss": lambda f, x, y: f.mse_loss(x, y),
    "mse_loss sum": lambda f, x, y: f.mse_loss(x, y, reduction="sum"),
    "l1_loss": lambda f, x, y: f.l1_loss(x, y),
    "smooth_l1_loss": lambda f, x, y: f.smooth_l1_loss(x, y, beta=0.3),
    "huber_loss": lambda f, x, y: f.huber_loss(x, y, delta=0.2, reduction="none"),
    "soft_margin_loss": lambda f, x, y: f.soft_margin_loss(x, y),
    "binary_cross_entropy": lambda f, x, y: f.binary_cross_entropy(x, y),
    "binary_cross_entropy_with_logits": lambda f, x, y: f.binary_cross_entropy_with_logits(x, y),
    "cross_entropy": lambda f, x, y: f.cross_entropy(x[None], (y[:1] > 2).long()),
}


def _node(torch: Any, loss: Callable[[Any, Any, Any], Any]) -> str:
    x = torch.tensor([0.25, 0.75, 0.5], requires_grad=True)
    return loss(torch.nn.functional, x, torch.tensor([0.0, 1.0, 1.0])).grad_fn.name()


@pytest.mark.parametrize("name", LOSSES)
def test_node_is_named_as_pytorchs(name: str) -> None:
    assert _node(rushlight, LOSSES[name]) == _node(pytorch, LOSSES[name])


def test_gradients_of_weights() -> None:
    torch = rushlight
    torch.manual_seed(0)
    x, y = torch.randn(4, 3, dtype=torch.float64), torch.rand(4, 3, dtype=torch.float64)
    weight, positive = torch.rand(3, dtype=torch.float64) + 0.5, torch.rand(3, dtype=torch.float64) + 0.5
    inputs = tuple(tensor.requires_grad_() for tensor in (x, y, weight, positive))

    def loss(x: Any, y: Any, weight: Any, positive: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(x, y, weight, pos_weight=positive)

    assert gradcheck(loss, inputs)
    assert gradgradcheck(loss, inputs)
