"""Padding layers: the padding is one number for all sides, or (left, right, top, bottom, front, back)."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight import Tensor

from .. import functional as F
from .._functional._arguments import per_dimension
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]

Size = int | Sequence[int]


class _PadNd(Module):
    __constants__ = ["padding"]
    dimensions: int
    mode: str

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = per_dimension(padding, 2 * self.dimensions)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    __constants__ = ["padding", "value"]
    mode = "constant"

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with `value`."""

    dimensions = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with `value`.

    >>> import rushlight as torch
    >>> torch.nn.ConstantPad2d(1, 3.5)(torch.zeros(1, 2, 2)).shape
    torch.Size([1, 4, 4])
    """

    dimensions = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with `value`."""

    dimensions = 3


class ZeroPad1d(ConstantPad1d):
    """Pads the last dimension with zeros."""

    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Pads the last two dimensions with zeros."""

    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Pads the last three dimensions with zeros."""

    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_PadNd):
    """Pads (N, C, L) or (C, L) with its mirror image."""

    dimensions = 1
    mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Pads (N, C, H, W) or (C, H, W) with its mirror image."""

    dimensions = 2
    mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) with its mirror image."""

    dimensions = 3
    mode = "reflect"


class ReplicationPad1d(_PadNd):
    """Pads (N, C, L) or (C, L) with its edge."""

    dimensions = 1
    mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Pads (N, C, H, W) or (C, H, W) with its edge."""

    dimensions = 2
    mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) with its edge."""

    dimensions = 3
    mode = "replicate"


class _CircularPadNd(_PadNd):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        n = self.dimensions
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pads (N, C, L) or (C, L) with its other end."""

    dimensions = 1


class CircularPad2d(_CircularPadNd):
    """Pads (N, C, H, W) or (C, H, W) with its other end."""

    dimensions = 2


class CircularPad3d(_CircularPadNd):
    """Pads (N, C, D, H, W) or (C, D, H, W) with its other end."""

    dimensions = 3
