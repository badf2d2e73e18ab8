"""Resampling images: to another size, and at the points of a grid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._arguments import computing
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_SMOOTH_MODES = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5, "lanczos": 4}
_MODES = ("nearest", "area", "nearest-exact")


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resizes the dimensions after the channels of (N, C, *) to `size`, or by `scale_factor`.

    `mode` is "nearest", "nearest-exact" (which rounds as image libraries do), "linear" (3-D input), "bilinear",
    "bicubic" (4-D), "trilinear" (5-D) or "area". `align_corners` makes the corner pixels' centres coincide;
    `antialias` widens the filter when shrinking, as image libraries do.
    """
    if mode in _SMOOTH_MODES:
        align_corners = bool(align_corners)
    elif align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    count = input.dim() - 2
    size, scales = _target_size(input, size, scale_factor, recompute_scale_factor, count)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    _check_mode(input, mode)
    _check_sizes(input, size)
    if mode == "area":
        pool = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[count - 1]
        return pool(input, size)
    if mode in _SMOOTH_MODES and not (input.is_floating_point() or input.dtype == rushlight.uint8):
        raise NotImplementedError(f"\"upsample_{mode}{count}d\" not implemented for '{input.type()}'")
    result = computing(input)
    if mode in _SMOOTH_MODES and input.dtype == rushlight.uint8:
        result = input.float()
    result = _C.resize_grid(result, size, scales, mode, bool(align_corners), antialias)
    if result.dtype != input.dtype:
        result = result.round().clamp(0, 255) if input.dtype == rushlight.uint8 else result
        result = result.to(input.dtype)
    return result


def _target_size(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None, count: int
) -> tuple[list[int], list[float] | None]:
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    space = list(input.shape[2:])
    shapes = (
        "Input and {0} must have the same number of spatial dimensions, but got input with spatial dimensions of {1} and "
        "{2} {3}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and {4} in ({5}1, {5}2, ...,{5}K) format."
    )
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        if isinstance(size, (list, tuple)):
            if len(size) != count:
                raise ValueError(
                    shapes.format("output", space, "output size of", tuple(size), "output size", "o")
                )
            if not all(isinstance(one, int) for one in size):
                raise TypeError(
                    "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got "
                    f"size with types {[type(one) for one in size]}"
                )
            return list(size), None
        return [size] * count, None
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if isinstance(scale_factor, (list, tuple)):
        if len(scale_factor) != count:
            raise ValueError(
                shapes.format(
                    "scale_factor", space, "scale_factor of shape", tuple(scale_factor), "scale_factor", "s"
                )
            )
        scales = [float(scale) for scale in scale_factor]
    else:
        scales = [float(scale_factor)] * count
    target = [math.floor(input.size(d + 2) * scales[d]) for d in range(count)]
    return target, None if recompute else scales


def _check_mode(input: Tensor, mode: str) -> None:
    dims = input.dim()
    if mode in _SMOOTH_MODES and dims in (3, 4, 5) and mode not in ("bicubic", "lanczos"):
        if dims != _SMOOTH_MODES[mode]:
            raise NotImplementedError(
                f"Got {dims}D input, but {mode} mode needs {_SMOOTH_MODES[mode]}D input"
            )
    elif not (mode in _MODES and dims in (3, 4, 5) or mode in _SMOOTH_MODES and dims == 4):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims}D) for the modes: nearest | linear | "
            f"bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )


def _check_sizes(input: Tensor, size: list[int]) -> None:
    if min((*input.shape[2:], *size)) <= 0:
        names = ("W", "H", "D")[: len(size)][::-1]
        before, after = (
            ", ".join(f"{name}: {one}" for name, one in zip(names, sizes, strict=True))
            for sizes in (input.shape[2:], size)
        )
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({before}) output ({after})"
        )


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The older name of `interpolate`."""
    _warn_deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The older name of `interpolate` with mode "nearest"."""
    _warn_deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The older name of `interpolate` with mode "bilinear" and aligned corners."""
    _warn_deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _warn_deprecated(name: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3
    )


def _warn_unaligned() -> None:
    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=3,
    )


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid for `grid_sample` of affine maps: theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2); 3-D alike."""
    if align_corners is None:
        _warn_unaligned()
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{list(size)}."
        )
    count = len(size) - 2
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (count, count + 1):
        raise ValueError(
            f"Expected a batch of {count}D affine matrices of shape Nx{count}x{count + 1} for size {list(size)}. Got "
            f"{theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {list(size)}")
    return _C.affine_grid_generator(theta, list(size), align_corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Samples (N, C, H, W) at the points (x, y) of grid (N, h, w, 2), -1 and 1 being the edges; (N, C, D, H, W) alike.

    `mode` is "bilinear", "nearest" or "bicubic" (2-D only); beyond the edges `padding_mode` is "zeros", "border" or
    "reflection". `align_corners` puts -1 and 1 at the centres of the corner pixels (Jaderberg et al., 2015).
    """
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    if mode not in modes:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in paddings:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        _warn_unaligned()
        align_corners = False
    return _C.grid_sampler(input, grid, modes.index(mode), paddings.index(padding_mode), align_corners)
