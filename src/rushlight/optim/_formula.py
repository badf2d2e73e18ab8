"""The frame of optimizers: one formula for the step of one parameter, run for all parameters at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._settings import number, plain, real_view, refuse_capturable, step_count
from ._trace import program_of, registers
from .optimizer import Optimizer

_COPY = _C.BlockProgram(2, [], [(0, 1)])


class FormulaOptimizer(Optimizer):
    """`step` applies `_update` to every parameter with a gradient; `_new_state` makes its state before the first.

    `_update` is written in tensors' operators, and changes the parameter in place and the state in place or by
    assignment. Where the step itself is to be differentiable it is called on tensors. Otherwise it is called on
    registers (`_trace`) once for all parameters whose counts agree, and the program that comes of it runs over all
    their elements in one pass.
    """

    # Entries of the state that are numbers in tensors, by which formulas differ; in formulas they are tensors always.
    _counts: tuple[str, ...] = ("step",)
    # Programs kept for the next step.
    _programs: dict[tuple[Any, ...], tuple[_C.BlockProgram, list[str]]] = {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update; `closure`, if given, computes the loss anew, and its result is returned."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            if group["differentiable"]:
                self._step_by_tensors(group)
            else:
                with rushlight.no_grad():
                    self._step_by_programs(group)
        return loss

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _update(self, parameter: Any, gradient: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError

    def _state_of(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[parameter]
        if not state:
            state["step"] = step_count()
            state.update(self._new_state(parameter, group))
        return state

    def _decay_and_update(
        self, parameter: Any, gradient: Any, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        if "step" in state:
            state["step"] += 1
        if group["maximize"]:
            gradient = -gradient
        decay = group.get("weight_decay", 0)
        if decay != 0 and group.get("decoupled_weight_decay"):
            parameter.mul_(1 - group["lr"] * decay)
        elif decay != 0:
            gradient = gradient + decay * parameter
        self._update(parameter, gradient, state, group)

    def _step_by_tensors(self, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            refuse_capturable(group)
            state = self._state_of(parameter, group)
            # Real and imaginary parts are updated as numbers of their own.
            views = {name: real_view(value) for name, value in state.items()}
            before = dict(views)
            self._decay_and_update(real_view(parameter), real_view(parameter.grad), views, group)
            for name, view in views.items():
                if view is not before.get(name):
                    state[name] = rushlight.view_as_complex(view) if parameter.is_complex() else view

    def _step_by_programs(self, group: dict[str, Any]) -> None:
        batches: dict[Any, list[tuple[Tensor, ...]]] = {}  # by the names of states' entries, and the counts
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            if not batches:
                refuse_capturable(group)
            state = self._state_of(parameter, group)
            key: tuple[Any, ...] = tuple(state)
            for name in self._counts:
                key += (state[name].item(),)
            row = (parameter, gradient, *state.values())
            if key in batches:
                batches[key].append(row)
            else:
                batches[key] = [row]
        for key, rows in batches.items():
            self._step_rows(list(key[: len(rows[0]) - 2]), rows, group)

    def _step_rows(self, names: list[str], rows: list[tuple[Tensor, ...]], group: dict[str, Any]) -> None:
        """One step of parameters, their gradients and their states, whose entries have the names."""
        program, new = self._program(names, rows[0], group)
        if new:
            for index, row in enumerate(rows):
                added = {name: rushlight.empty_like(row[1]) for name in new}
                self.state[row[0]].update(added)
                rows[index] = (*row, *added.values())
        if any([row[0].is_complex() for row in rows]):
            rows = [tuple(map(real_view, row)) for row in rows]
        program.run(rows)
        if len(rows) > 1 and self._counts:
            counts = [2 + names.index(name) for name in self._counts]
            _COPY.run([(row[index], rows[0][index]) for row in rows[1:] for index in counts])

    def _program(
        self, names: list[str], row: tuple[Tensor, ...], group: dict[str, Any]
    ) -> tuple[_C.BlockProgram, list[str]]:
        """The formula's program for a row, and the names of the entries that it adds to the state.

        Without counts a formula depends on the settings alone, and its program is kept: one for each group.
        """
        if self._counts:
            return self._trace(names, row, group)
        key = (*names, *[number(group[name]) for name in self.defaults])
        if key not in self._programs:
            kept = self._programs if len(self._programs) < len(self.param_groups) else {}
            self._programs = {**kept, key: self._trace(names, row, group)}
        return self._programs[key]

    def _trace(
        self, names: list[str], row: tuple[Tensor, ...], group: dict[str, Any]
    ) -> tuple[_C.BlockProgram, list[str]]:
        inputs = registers(len(row))
        state: dict[str, Any] = dict(zip(names, inputs[2:], strict=True))
        for name in self._counts:
            state[name] = row[2 + names.index(name)]
        self._decay_and_update(*inputs[:2], state, plain(group))
        return program_of(inputs, [*inputs[:2], *state.values()]), list(state)[len(names) :]


def zeros(parameter: Tensor) -> Tensor:
    """Zeros like a parameter: the beginning of a moving average."""
    return rushlight.zeros_like(parameter, memory_format=rushlight.preserve_format).detach()
