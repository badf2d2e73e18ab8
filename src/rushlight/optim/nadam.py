"""NAdam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import rushlight
from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_betas, check_learning_rate, check_not_negative, count_dtype, number

__all__ = ["NAdam"]


class NAdam(FormulaOptimizer):
    """Adam with Nesterov's momentum, whose rate mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2) (Dozat, 2016)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    _counts = ("step", "mu_product")

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "mu_product": rushlight.ones((), dtype=count_dtype()),
            "exp_avg": zeros(parameter),
            "exp_avg_sq": zeros(parameter),
        }

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        (beta1, beta2), rate, decay = group["betas"], number(group["lr"]), group["momentum_decay"]
        count = state["step"].item()
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (count, count + 1))
        state["mu_product"].mul_(mu)
        product = state["mu_product"].item()
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = square.sqrt() / math.sqrt(1 - beta2**count) + group["eps"]
        parameter.addcdiv_(gradient, scale, value=-rate * (1 - mu) / (1 - product))
        parameter.addcdiv_(mean, scale, value=-rate * mu_next / (1 - product * mu_next))
