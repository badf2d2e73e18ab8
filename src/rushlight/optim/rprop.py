"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import rushlight
from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_learning_rate, number

__all__ = ["Rprop"]


class Rprop(FormulaOptimizer):
    """Steps by the sign of the gradient, of sizes that grow while the sign stays and shrink when it turns.

    (Riedmiller & Braun, 1993.)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        rate = number(group["lr"])
        if parameter.is_complex():
            rate = complex(rate, rate)
        sizes = rushlight.full_like(parameter, rate, requires_grad=False)
        return {"prev": zeros(parameter), "step_size": sizes}

    def _update(self, parameter: Tensor, gradient: Tensor, state: Any, group: dict[str, Any]) -> None:
        (shrink, grow), sizes = group["etas"], state["step_size"]
        agreement = gradient * state["prev"]
        turned = agreement < 0
        sizes.copy_((sizes * grow).where(agreement > 0, (sizes * shrink).where(turned, sizes)))
        sizes.clamp_(*group["step_sizes"])
        # After a turn the step is left out once.
        gradient = gradient.masked_fill(turned, 0)
        parameter.addcmul_(gradient.sign(), sizes, value=-1)
        state["prev"].copy_(gradient)
