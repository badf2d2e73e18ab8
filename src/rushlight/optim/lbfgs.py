"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import rushlight
from rushlight import Tensor

from ._settings import check_learning_rate, number, real_view
from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """The quasi-Newton method with limited memory, over one group (Liu & Nocedal, 1989).

    `step` takes a closure that computes the loss and gradients anew, and makes up to `max_iter` iterations, until the
    gradient is below `tolerance_grad` or the change below `tolerance_change`. `line_search_fn` is None, for steps of
    length lr, or "strong_wolfe".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_learning_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    def _flat_gradient(self) -> Tensor:
        parts = []
        for parameter in self._params:
            gradient = rushlight.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parts.append(real_view(gradient.detach()).reshape(-1))
        return rushlight.cat(parts)

    def _move(self, direction: Tensor, length: float) -> None:
        start = 0
        for parameter in self._params:
            view = real_view(parameter)
            end = start + view.numel()
            view.add_(direction[start:end].view_as(view), alpha=length)
            start = end

    def _evaluate_at(
        self, closure: Callable, origin: list[Tensor], direction: Tensor, length: float
    ) -> tuple[float, Tensor]:
        """Loss and gradient `length` along the direction; the parameters are then back at the origin."""
        self._move(direction, length)
        loss, gradient = float(closure()), self._flat_gradient()
        for parameter, value in zip(self._params, origin, strict=True):
            parameter.copy_(value)
        return loss, gradient

    def step(self, closure: Callable[[], Any]) -> Any:
        """Iterates; `closure` clears the gradients, computes the loss and its gradients, and returns it.

        Returns the loss before the first iteration.
        """
        with rushlight.no_grad():
            return self._iterate(lambda: self._loss_of(closure))

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, evaluations, iterations = float(first_loss), 1, 0
        state["func_evals"] += 1
        gradient = self._flat_gradient()
        if float(gradient.abs().max()) <= group["tolerance_grad"]:
            return first_loss

        while iterations < group["max_iter"]:
            iterations += 1
            state["n_iter"] += 1
            direction = self._direction(gradient, state, group)
            previous_gradient, previous_loss = gradient.clone(), loss
            state["prev_flat_grad"] = previous_gradient
            state["d"] = direction
            rate = number(group["lr"])
            if state["n_iter"] == 1:
                length = min(1.0, 1.0 / float(gradient.abs().sum())) * rate
            else:
                length = rate
            slope = float(gradient.dot(direction))
            if slope > -group["tolerance_change"]:
                state["t"], state["prev_loss"] = length, previous_loss
                break
            used = 0
            if group["line_search_fn"] is not None:
                loss, gradient, length, used = self._search(
                    closure, group, direction, length, loss, gradient, slope
                )
                self._move(direction, length)
            else:
                self._move(direction, length)
                if iterations != group["max_iter"]:
                    loss, gradient, used = float(closure()), self._flat_gradient(), 1
            state["t"], state["prev_loss"] = length, previous_loss
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= group["max_eval"]
                or float(gradient.abs().max()) <= group["tolerance_grad"]
                or float((direction * length).abs().max()) <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _direction(self, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        """The approximate Newton direction, after the last step has gone into the memory."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return -gradient
        change = gradient - state["prev_flat_grad"]
        step = state["d"] * float(state["t"])
        curvature = float(change.dot(step))
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        if curvature > 1e-10:
            if len(changes) == group["history_size"]:
                for memory in (changes, steps, inverses):
                    memory.pop(0)
            changes.append(change)
            steps.append(step)
            inverses.append(1.0 / curvature)
            state["H_diag"] = curvature / float(change.dot(change))
        weights = state.setdefault("al", [None] * group["history_size"])
        direction = -gradient
        for i in reversed(range(len(changes))):
            weights[i] = float(steps[i].dot(direction)) * float(inverses[i])
            direction.add_(changes[i], alpha=-weights[i])
        direction = direction * float(state["H_diag"])
        for i in range(len(changes)):
            correction = float(changes[i].dot(direction)) * float(inverses[i])
            direction.add_(steps[i], alpha=weights[i] - correction)
        return direction

    def _search(
        self,
        closure: Callable,
        group: dict[str, Any],
        direction: Tensor,
        length: float,
        loss: float,
        gradient: Tensor,
        slope: float,
    ) -> tuple[float, Tensor, float, int]:
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        origin = [parameter.clone() for parameter in self._params]

        def evaluate(length: float) -> tuple[float, Tensor]:
            return self._evaluate_at(closure, origin, direction, length)

        return _strong_wolfe(evaluate, direction, length, loss, gradient, slope, group["tolerance_change"])


class _Point:
    """A place on the line: its length, loss, gradient, and slope along the line."""

    __slots__ = ("gradient", "length", "loss", "slope")

    def __init__(self, length: float, loss: float, gradient: Tensor, slope: float) -> None:
        self.length = length
        self.loss = loss
        self.gradient = gradient
        self.slope = slope


def _cubic_minimum(a: _Point, b: _Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is least, within bounds (Nocedal & Wright, 2006, 3.59)."""
    low, high = bounds if bounds is not None else sorted((a.length, b.length))
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = first**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    root = square**0.5
    if a.length <= b.length:
        least = b.length - (b.length - a.length) * (b.slope + root - first) / (b.slope - a.slope + 2 * root)
    else:
        least = a.length - (a.length - b.length) * (a.slope + root - first) / (a.slope - b.slope + 2 * root)
    return min(max(least, low), high)


def _strong_wolfe(
    evaluate: Callable[[float], tuple[float, Tensor]],
    direction: Tensor,
    length: float,
    loss: float,
    gradient: Tensor,
    slope: float,
    tolerance_change: float,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    max_searches: int = 25,
) -> tuple[float, Tensor, float, int]:
    """A length that meets the strong Wolfe conditions (Nocedal & Wright, 2006, algorithms 3.5 and 3.6)."""
    scale = float(direction.abs().max())
    origin = _Point(0.0, loss, gradient, slope)

    def at(length: float) -> _Point:
        loss, gradient = evaluate(length)
        return _Point(length, loss, gradient, float(gradient.dot(direction)))

    def too_high(point: _Point) -> bool:
        return point.loss > loss + decrease * point.length * slope

    previous, point = origin, at(length)
    evaluations, searches, bracket, done = 1, 0, [origin, point], False
    while searches < max_searches:
        if too_high(point) or (searches > 1 and point.loss >= previous.loss):
            bracket = [previous, point]
            break
        if abs(point.slope) <= -curvature * slope:
            bracket, done = [point], True
            break
        if point.slope >= 0:
            bracket = [previous, point]
            break
        bounds = (point.length + 0.01 * (point.length - previous.length), point.length * 10)
        following = _cubic_minimum(previous, point, bounds)
        previous, point = point, at(following)
        evaluations += 1
        searches += 1
    else:
        bracket = [origin, point]

    stalled = False
    while not done and searches < max_searches:
        low, high = sorted(bracket, key=lambda one: one.loss)
        ends = sorted(one.length for one in bracket)
        if (ends[1] - ends[0]) * scale < tolerance_change:
            break
        length = _cubic_minimum(*bracket)
        # Near an end of the bracket the interpolation may creep: the second time it is moved inwards.
        margin = 0.1 * (ends[1] - ends[0])
        if min(ends[1] - length, length - ends[0]) < margin:
            if stalled or length >= ends[1] or length <= ends[0]:
                nearer_high = abs(length - ends[1]) < abs(length - ends[0])
                length = ends[1] - margin if nearer_high else ends[0] + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = at(length)
        evaluations += 1
        searches += 1
        if too_high(point) or point.loss >= low.loss:
            bracket = [low, point]
        else:
            if abs(point.slope) <= -curvature * slope:
                done = True
            elif point.slope * (high.length - low.length) >= 0:
                high = low
            bracket = [high, point]
    best = min(bracket, key=lambda one: one.loss)
    return best.loss, best.gradient, best.length, evaluations
