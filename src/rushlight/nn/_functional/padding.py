"""Padding: constant, reflected, replicated and circular."""

from __future__ import annotations

from collections.abc import Sequence

import rushlight
from rushlight import _C, Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds to the sides of the last dimensions: pad = (left, right) of the last, then of the one before, and so on.

    `mode` is "constant" (any dimensions; `value`, 0 by default), "reflect", "replicate" or "circular" (the last one,
    two or three dimensions after the channels). A negative number takes away.

    >>> import rushlight as torch
    >>> torch.nn.functional.pad(torch.arange(3.0), (1, 1))
    tensor([0., 0., 1., 2., 0.])
    """
    pad = list(pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return _C.constant_pad_nd(input, pad, 0 if value is None else value)
    if mode not in _SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(pad) not in (2, 4, 6) or input.dim() - len(pad) // 2 not in (1, 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    result = input
    for i in range(len(pad) // 2):
        before, after = pad[2 * i], pad[2 * i + 1]
        if before or after:
            dim = input.dim() - 1 - i
            positions = _positions(input, dim, before, after)
            result = result.index_select(dim, _SOURCES[mode](input, dim, before, after, positions))
    return result if result is not input else input.clone()


def _positions(input: Tensor, dim: int, before: int, after: int) -> Tensor:
    size = input.size(dim) + before + after
    if size < 0:
        shape = [*input.shape[:dim], size, *input.shape[dim + 1 :]]
        raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {shape}")
    return rushlight.arange(-before, input.size(dim) + after, device=input.device)


def _reflected(input: Tensor, dim: int, before: int, after: int, positions: Tensor) -> Tensor:
    size = input.size(dim)
    if before >= size or after >= size:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {after}) at dimension {dim} of input {list(input.shape)}"
        )
    return (size - 1) - ((size - 1) - positions.abs()).abs()


def _replicated(input: Tensor, dim: int, before: int, after: int, positions: Tensor) -> Tensor:
    return positions.clamp(0, input.size(dim) - 1)


def _circular(input: Tensor, dim: int, before: int, after: int, positions: Tensor) -> Tensor:
    if before > input.size(dim) or after > input.size(dim):
        raise RuntimeError("Padding value causes wrapping around more than once.")
    # What a negative number takes away is not there to be wrapped around to.
    first, end = max(-before, 0), input.size(dim) - max(-after, 0)
    return (positions - first) % max(end - first, 1) + first


# Where each mode finds the element that stands at a position outside the input.
_SOURCES = {"reflect": _reflected, "replicate": _replicated, "circular": _circular}
