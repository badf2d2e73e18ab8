"""DLPack, the exchange format for tensors: sharing memory with other array libraries."""

from __future__ import annotations

import enum
from typing import Any

from rushlight._C import from_dlpack

from rushlight import Tensor

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """DLPack's numbers for the devices that a tensor may be on."""

    kDLCPU = 1


def to_dlpack(tensor: Tensor) -> Any:
    """Return a DLPack capsule of a tensor's memory; `from_dlpack` here or elsewhere may consume it once.

    Raises:
        BufferError: the tensor requires grad or is a meta tensor.

    >>> from_dlpack(to_dlpack(rushlight.ones(2)))
    tensor([1., 1.])
    """
    return tensor.__dlpack__()
