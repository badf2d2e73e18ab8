"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rushlight import Tensor

from ._formula import FormulaOptimizer
from ._settings import check_fused, check_learning_rate, check_not_negative

__all__ = ["SGD"]


class SGD(FormulaOptimizer):
    """p -= lr * v, where v = momentum * v + (1 - dampening) * g and g is the gradient plus weight_decay * p.

    The first v is g. `nesterov` steps along g + momentum * v (Sutskever et al., 2013); `maximize` ascends. `foreach` and `fused` change nothing here.

    >>> import rushlight as torch
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.ones(2)
    >>> torch.optim.SGD([weight], lr=0.5).step()
    >>> weight.tolist()
    [0.5, 0.5]
    """

    _counts = ()

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _state_of(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        if not group["momentum"]:
            return {}
        state = self.state[parameter]
        if "momentum_buffer" in state and state["momentum_buffer"] is None:
            del state["momentum_buffer"]
        return state

    def _update(self, parameter: Any, gradient: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        if momentum:
            if "momentum_buffer" in state:
                velocity = state["momentum_buffer"].mul(momentum).add(gradient, alpha=1 - group["dampening"])
            else:
                velocity = gradient.clone()
            state["momentum_buffer"] = velocity
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
        parameter.sub_(group["lr"] * gradient)
