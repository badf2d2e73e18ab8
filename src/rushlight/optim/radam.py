"""RAdam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_betas, check_learning_rate, check_not_negative, number

__all__ = ["RAdam"]


class RAdam(FormulaOptimizer):
    """Adam whose scaling is rectified while the average of squares has few samples, or left out (Liu et al., 2019)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        (beta1, beta2), rate = group["betas"], number(group["lr"])
        count = state["step"].item()
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        step = mean * (rate / (1 - beta1**count))
        unbiased = 1 - beta2**count
        # The length of the moving average that has as many samples as this one has after count steps.
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * count * beta2**count / unbiased
        if length > 5.0:
            rectification = math.sqrt(
                (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            )
            step = step * (math.sqrt(unbiased) * rectification) / (square.sqrt() + group["eps"])
        parameter.sub_(step)
