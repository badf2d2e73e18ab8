"""Tracing of update formulas: what a formula does to registers in place of tensors becomes a native program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight import _C


class Register:
    """Stands for a tensor in a formula and notes the operators applied to it.

    It has the names and operators of `Tensor` that formulas use. Methods in place make it stand for their result.
    """

    __slots__ = ("lines", "number")

    def __init__(self, lines: list[Any], number: int) -> None:
        self.lines = lines
        self.number = number

    def _then(self, name: str, value: float, *numbers: int) -> Register:
        """The result of a pointwise function of the registers of those numbers."""
        lines = self.lines
        lines.append((name, value, *numbers))
        return Register(lines, len(lines) - 1)

    def _of(self, operand: Any) -> int:
        """The number of an operand's register; a number gets one that holds it."""
        if type(operand) is Register:
            return operand.number
        self.lines.append(("constant", operand))
        return len(self.lines) - 1

    def add(self, other: Any, *, alpha: float = 1) -> Register:
        if alpha == 1:
            return self._then("add", 0, self.number, self._of(other))
        return self._then("add_scaled", alpha, self.number, self._of(other))

    def sub(self, other: Any, *, alpha: float = 1) -> Register:
        if alpha == 1:
            return self._then("sub", 0, self.number, self._of(other))
        return self._then("add_scaled", -alpha, self.number, self._of(other))

    def addcmul(self, tensor1: Register, tensor2: Register, *, value: float = 1) -> Register:
        return self._then("addcmul", value, self.number, tensor1.number, tensor2.number)

    def addcdiv(self, tensor1: Register, tensor2: Register, *, value: float = 1) -> Register:
        return self._then("addcdiv", value, self.number, tensor1.number, tensor2.number)

    def mul(self, other: Any) -> Register:
        return self._then("mul", 0, self.number, self._of(other))

    def div(self, other: Any) -> Register:
        return self._then("div", 0, self.number, self._of(other))

    def lerp(self, end: Register, weight: Any) -> Register:
        return self._then("lerp", 0, self.number, end.number, self._of(weight))

    def clamp(self, min: Any, max: Any) -> Register:
        return self._then("clamp", 0, self.number, self._of(min), self._of(max))

    def maximum(self, other: Register) -> Register:
        return self._then("maximum", 0, self.number, other.number)

    def minimum(self, other: Register) -> Register:
        return self._then("minimum", 0, self.number, other.number)

    def where(self, condition: Register, other: Any) -> Register:
        return self._then("where", 0, condition.number, self.number, self._of(other))

    def masked_fill(self, mask: Register, value: float) -> Register:
        return self._then("where", 0, mask.number, self._of(value), self.number)

    def neg(self) -> Register:
        return self._then("neg", 0, self.number)

    def abs(self) -> Register:
        return self._then("abs", 0, self.number)

    def sign(self) -> Register:
        return self._then("sign", 0, self.number)

    def sqrt(self) -> Register:
        return self._then("sqrt", 0, self.number)

    def square(self) -> Register:
        return self._then("square", 0, self.number)

    def clone(self) -> Register:
        return Register(self.lines, self.number)

    def copy_(self, source: Register) -> Register:
        self.number = source.number
        return self

    def __gt__(self, other: Any) -> Register:
        return self._then("gt", 0, self.number, self._of(other))

    def __lt__(self, other: Any) -> Register:
        return self._then("lt", 0, self.number, self._of(other))

    def __rsub__(self, other: float) -> Register:
        return self._then("sub", 0, self._of(other), self.number)

    def __rtruediv__(self, other: float) -> Register:
        return self._then("div", 0, self._of(other), self.number)

    __add__ = __radd__ = add
    __sub__ = sub
    __mul__ = __rmul__ = mul
    __truediv__ = div
    __neg__ = neg


def _in_place(method: Callable[..., Register]) -> Callable[..., Register]:
    def changed(self: Register, *args: Any, **kwargs: Any) -> Register:
        self.number = method(self, *args, **kwargs).number
        return self

    return changed


for _name in (
    "add",
    "sub",
    "addcmul",
    "addcdiv",
    "mul",
    "div",
    "lerp",
    "clamp",
    "neg",
    "masked_fill",
    "sqrt",
):
    setattr(Register, _name + "_", _in_place(getattr(Register, _name)))


def registers(count: int) -> list[Register]:
    """Registers for the tensors of a row."""
    lines: list[Any] = [None] * count
    return [Register(lines, number) for number in range(count)]


def program_of(inputs: Sequence[Register], results: Sequence[Any]) -> _C.BlockProgram:
    """The program of a formula: `results[i]` is what the i-th tensor of a row becomes.

    `inputs` are the registers that the formula was given; results beyond them are of tensors that are only written.
    Tensors among the results stand for no change.
    """
    count = len(inputs)
    outputs = [
        (index, result.number)
        for index, result in enumerate(results)
        if type(result) is Register and result.number != index
    ]
    return _C.BlockProgram(count, inputs[0].lines[count:], outputs)
