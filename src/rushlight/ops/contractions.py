"""Sums of products over named or numbered dimensions: einsum and tensordot, in all the forms they are called in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rushlight import _C
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


@operator("einsum(str equation, Tensor[] operands) -> Tensor")
def einsum(*args: Any) -> Tensor:
    """Sum products of operands' elements along the dimensions that an equation names.

    Called as ``einsum("ij,jk->ik", a, b)`` or with lists of numbers, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Raises:
        RuntimeError: for a malformed equation and sizes that do not fit.
        ValueError: without operands.

    >>> rushlight.einsum("i,i->", rushlight.tensor([1.0, 2.0]), rushlight.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, "
            "or at least one operand and its subscripts list"
        )
    if isinstance(args[0], str):
        equation, operands = args[0], args[1:]
    else:
        lists = list(args[1::2])
        equation = ",".join(_subscripts(numbers) for numbers in lists[: len(args) // 2])
        if len(args) % 2 == 1:
            equation += "->" + _subscripts(args[-1])
        operands = args[: len(args) // 2 * 2 : 2]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    return _C.einsum(equation, list(operands))


def _subscripts(numbers: Sequence[Any]) -> str:
    return "".join("..." if number is Ellipsis else _letter(number) for number in numbers)


def _letter(number: int) -> str:
    if not 0 <= number < 52:
        raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
    return chr(ord("A") + number) if number < 26 else chr(ord("a") + number - 26)


@operator("tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor", out=True)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum products of two tensors' elements over `dims` dimensions, last of one with first of the other, or over pairs.

    `dims` is a number, or two lists of dimensions.

    Raises:
        RuntimeError: where the sizes of a pair differ, or a number is negative or too large.

    >>> rushlight.tensordot(rushlight.ones(2, 3), rushlight.ones(3, 4), dims=1).shape
    torch.Size([2, 4])
    """
    if hasattr(dims, "tolist"):
        dims = dims.tolist()
    if isinstance(dims, (list, tuple)):
        first, second = (list(one) if isinstance(one, (list, tuple)) else [one] for one in dims)
    else:
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    return _C.tensordot(a, b, first, second)
