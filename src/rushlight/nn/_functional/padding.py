"""Padding: constant, reflected, replicated and circular."""

from __future__ import annotations

from collections.abc import Sequence

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
    if mode not in ("reflect", "replicate", "circular"):
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
    return _C.pad_from_inside(input, pad, mode)
