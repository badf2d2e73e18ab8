"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_betas, check_learning_rate, check_not_negative, number

__all__ = ["Adamax"]


class Adamax(FormulaOptimizer):
    """p -= lr / (1 - beta1^t) * m / u, m being a moving average of g and u a decaying maximum of |g| (Kingma & Ba, 2014)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"exp_avg": zeros(parameter), "exp_inf": zeros(parameter)}

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        largest = state["exp_inf"]
        largest.copy_((largest * beta2).maximum(gradient.abs() + group["eps"]))
        rate = number(group["lr"]) / (1 - beta1 ** state["step"].item())
        parameter.addcdiv_(mean, largest, value=-rate)
