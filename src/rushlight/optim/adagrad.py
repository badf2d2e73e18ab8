"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import rushlight
from rushlight import Tensor

from ._formula import FormulaOptimizer
from ._settings import check_fused, check_learning_rate, check_not_negative, number, step_count

__all__ = ["Adagrad"]


class Adagrad(FormulaOptimizer):
    """p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum of g^2) + eps) (Duchi et al., 2011)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {"step": step_count(), **self._new_state(parameter, group)}

    def share_memory(self) -> None:
        """Moves the sums to memory that other processes can share."""
        for state in self.state.values():
            state["sum"].share_memory_()

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        start = group["initial_accumulator_value"]
        if parameter.is_complex():
            start = complex(start, start)
        return {"sum": rushlight.full_like(parameter, start, requires_grad=False)}

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        rate = number(group["lr"]) / (1 + (state["step"].item() - 1) * group["lr_decay"])
        state["sum"].addcmul_(gradient, gradient, value=1)
        parameter.addcdiv_(gradient, state["sum"].sqrt() + group["eps"], value=-rate)
