"""Arguments that many functions share: sizes given once or per dimension, and reductions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import rushlight
from rushlight import Tensor

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def per_dimension(value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """`value` for each of `count` dimensions: one number stands for all of them."""
    if isinstance(value, (tuple, list)) and len(value) != 1:
        return tuple(value)
    one = value[0] if isinstance(value, (tuple, list)) else value
    return (one,) * count


def reduction_number(reduction: str) -> int:
    """The number that native losses take for a reduction's name; ValueError for any other name."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return REDUCTIONS[reduction]


def reduction_name(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that PyTorch's older arguments, where given, stand for."""
    if size_average is None and reduce is None:
        return reduction
    average = size_average is None or size_average
    if reduce is False:
        name = "none"
    else:
        name = "mean" if average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{name}' instead.",
        stacklevel=3,
    )
    return name


def computing(tensor: Tensor) -> Tensor:
    """Numbers of 16 bits as numbers of 32, in which formulas of several steps are computed; others as they are."""
    return tensor.float() if tensor.dtype in (rushlight.float16, rushlight.bfloat16) else tensor


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """`loss` itself, its mean or its sum."""
    number = reduction_number(reduction)
    if number == 0:
        return loss
    return loss.mean() if number == 1 else loss.sum()
