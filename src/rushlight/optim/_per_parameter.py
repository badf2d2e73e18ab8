"""The frame of optimizers that update one parameter at a time by tensor operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rushlight
from rushlight import Tensor

from ._settings import real_view, refuse_capturable, step_count
from .optimizer import Optimizer


class PerParameterOptimizer(Optimizer):
    """`step` calls `_update` for every parameter with a gradient; `_new_state` makes its state before the first.

    `_update` writes the parameter and the tensors of the state in place.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update; `closure`, if given, computes the loss anew, and its result is returned."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            with rushlight.set_grad_enabled(bool(group["differentiable"]) and rushlight.is_grad_enabled()):
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        refuse_capturable(group)
                        self._step_parameter(parameter, group)
        return loss

    def _step_parameter(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = step_count()
            state.update(self._new_state(parameter, group))
        state["step"] += 1
        gradient = parameter.grad
        if group["maximize"]:
            gradient = -gradient
        if group.get("weight_decay") and not group.get("decoupled_weight_decay"):
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        if parameter.is_complex():
            # Real and imaginary parts are updated as numbers of their own.
            views = {
                name: real_view(value) if isinstance(value, Tensor) else value
                for name, value in state.items()
            }
            self._update(real_view(parameter), real_view(gradient), views, group)
        else:
            self._update(parameter, gradient, state, group)

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        raise NotImplementedError


def zeros(parameter: Tensor) -> Tensor:
    """Zeros like a parameter: the beginning of a moving average."""
    return rushlight.zeros_like(parameter, memory_format=rushlight.preserve_format).detach()
