"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import rushlight
from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_learning_rate, check_not_negative, count_dtype, number

__all__ = ["ASGD"]


class ASGD(FormulaOptimizer):
    """Gradient descent with decaying rates, whose state "ax" is the average of the parameters from step t0 on.

    (Polyak & Juditsky, 1992.)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    _counts = ("step", "eta", "mu")

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "eta": rushlight.tensor(number(group["lr"]), dtype=count_dtype()),
            "mu": rushlight.ones((), dtype=count_dtype()),
            "ax": zeros(parameter),
        }

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        count, eta, mu = (state[name].item() for name in ("step", "eta", "mu"))
        parameter.mul_(1 - group["lambd"] * eta).add_(gradient, alpha=-eta)
        if mu == 1:
            state["ax"].copy_(parameter)
        else:
            state["ax"].add_((parameter - state["ax"]).mul(mu))
        rate = number(group["lr"])
        state["eta"].fill_(rate / (1 + group["lambd"] * rate * count) ** group["alpha"])
        state["mu"].fill_(1 / max(1, count - group["t0"]))
