"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._settings import check_fused, check_learning_rate, check_not_negative, number, real_views
from .optimizer import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """p -= lr * v, where v = momentum * v + (1 - dampening) * g and g is the gradient plus weight_decay * p.

    The first v is g. `nesterov` steps along g + momentum * v (Sutskever et al., 2013); `maximize` ascends. All
    parameters of a group move in one native call. `foreach` and `fused` change nothing here.

    >>> import rushlight as torch
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.ones(2)
    >>> torch.optim.SGD([weight], lr=0.5).step()
    >>> weight.tolist()
    [0.5, 0.5]
    """

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

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update; `closure`, if given, computes the loss anew, and its result is returned."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            with_gradient = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["differentiable"]:
                for parameter in with_gradient:
                    self._step_differentiably(parameter, group)
            elif not group["momentum"]:
                self._step_fused(with_gradient, [], group, is_first_step=False)
            else:
                self._step_with_momentum(with_gradient, group)
        return loss

    def _step_with_momentum(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        moving, starting = [], []
        for parameter in parameters:
            has_velocity = self.state[parameter].get("momentum_buffer") is not None
            (moving if has_velocity else starting).append(parameter)
        for parameter in starting:
            self.state[parameter]["momentum_buffer"] = rushlight.empty_like(parameter.grad).detach()
        for some, is_first_step in ((moving, False), (starting, True)):
            velocities = [self.state[parameter]["momentum_buffer"] for parameter in some]
            self._step_fused(some, velocities, group, is_first_step)

    def _step_fused(
        self, parameters: list[Tensor], velocities: list[Tensor], group: dict[str, Any], is_first_step: bool
    ) -> None:
        if parameters:
            gradients = [parameter.grad for parameter in parameters]
            with rushlight.no_grad():
                _C._fused_sgd_(
                    real_views(parameters),
                    real_views(gradients),
                    real_views(velocities),
                    weight_decay=number(group["weight_decay"]),
                    momentum=group["momentum"],
                    lr=number(group["lr"]),
                    dampening=group["dampening"],
                    nesterov=group["nesterov"],
                    maximize=group["maximize"],
                    is_first_step=is_first_step,
                )

    def _step_differentiably(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = -parameter.grad if group["maximize"] else parameter.grad
        if number(group["weight_decay"]):
            gradient = gradient + group["weight_decay"] * parameter
        if group["momentum"]:
            state = self.state[parameter]
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = gradient.clone()
            else:
                velocity = velocity * group["momentum"] + gradient * (1 - group["dampening"])
            state["momentum_buffer"] = velocity
            gradient = gradient + group["momentum"] * velocity if group["nesterov"] else velocity
        parameter.sub_(group["lr"] * gradient)
