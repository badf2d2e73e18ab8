"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._per_parameter import zeros
from ._settings import (
    check_betas,
    check_fused,
    check_learning_rate,
    check_not_negative,
    number,
    real_views,
    refuse_capturable,
    step_count,
)
from .optimizer import Optimizer

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """p -= lr * m' / (sqrt(v') + eps), m and v being moving averages of g and g^2 at the rates `betas`, m' and v'
    without their bias towards zero (Kingma & Ba, 2014).

    Weight decay adds weight_decay * p to the gradient or, if `decoupled_weight_decay`, shrinks the parameter.
    `amsgrad` takes the greatest v so far (Reddi et al., 2018). All parameters of a group move in one native call.
    `foreach` and `fused` change nothing here.

    >>> import rushlight as torch
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.ones(2)
    >>> torch.optim.Adam([weight], lr=0.5).step()
    >>> weight
    Parameter containing:
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_learning_rate(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update; `closure`, if given, computes the loss anew, and its result is returned."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            refuse_capturable(group)
            states = [self._state_of(parameter, group["amsgrad"]) for parameter in parameters]
            if group["differentiable"]:
                for parameter, state in zip(parameters, states, strict=True):
                    _step_differentiably(parameter, state, group)
            else:
                _step_fused(parameters, states, group)
        return loss

    def _state_of(self, parameter: Tensor, amsgrad: bool) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = step_count()
            state["exp_avg"] = zeros(parameter)
            state["exp_avg_sq"] = zeros(parameter)
            if amsgrad:
                state["max_exp_avg_sq"] = zeros(parameter)
        return state


def _step_fused(parameters: list[Tensor], states: list[dict[str, Tensor]], group: dict[str, Any]) -> None:
    step = _C._fused_adamw_ if group["decoupled_weight_decay"] else _C._fused_adam_
    counts = [state["step"] for state in states]
    with rushlight.no_grad():
        for count in counts:
            count.add_(1)
        step(
            real_views(parameters),
            real_views([parameter.grad for parameter in parameters]),
            real_views([state["exp_avg"] for state in states]),
            real_views([state["exp_avg_sq"] for state in states]),
            real_views([state["max_exp_avg_sq"] for state in states]) if group["amsgrad"] else [],
            counts,
            lr=number(group["lr"]),
            beta1=number(group["betas"][0]),
            beta2=number(group["betas"][1]),
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )


def _step_differentiably(parameter: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    beta1, beta2 = group["betas"]
    gradient = -parameter.grad if group["maximize"] else parameter.grad
    if group["weight_decay"]:
        if group["decoupled_weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        else:
            gradient = gradient + group["weight_decay"] * parameter
    state["step"] = state["step"] + 1
    count = state["step"].item()
    state["exp_avg"] = state["exp_avg"] * beta1 + gradient * (1 - beta1)
    state["exp_avg_sq"] = state["exp_avg_sq"] * beta2 + gradient * gradient * (1 - beta2)
    square = state["exp_avg_sq"]
    if group["amsgrad"]:
        square = state["max_exp_avg_sq"] = rushlight.maximum(state["max_exp_avg_sq"], square)
    denominator = (square / (1 - beta2**count)).sqrt() + group["eps"]
    parameter.sub_(group["lr"] * (state["exp_avg"] / (1 - beta1**count)) / denominator)


class AdamW(Adam):
    """Adam that shrinks the parameters by lr * weight_decay at each step (Loshchilov & Hutter, 2017)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
