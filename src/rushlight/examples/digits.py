"""The UCI handwritten digits: 1,797 real scans of 8×8 pixels, shipped with the package (see ``digits.md``)."""

from __future__ import annotations

import zlib
from pathlib import Path

import rushlight as torch
from rushlight import Tensor

COUNT, SIDE, BRIGHTEST = 1797, 8, 16


def load_digits() -> tuple[Tensor, Tensor]:
    """Return the scans, ``float32`` of shape (1797, 1, 8, 8) from 0 to 1, and their labels, ``int64`` of (1797,).

    Example:
        >>> from rushlight.examples.digits import load_digits
        >>> images, labels = load_digits()
        >>> images.shape, labels[:5]
        (torch.Size([1797, 1, 8, 8]), tensor([0, 1, 2, 3, 4]))
    """
    data = bytearray(zlib.decompress(Path(__file__).with_name("digits.zlib").read_bytes()))
    values = torch.frombuffer(data, dtype=torch.uint8)
    images, labels = values[: COUNT * SIDE * SIDE], values[COUNT * SIDE * SIDE :]
    return images.reshape(COUNT, 1, SIDE, SIDE).to(torch.float32) / BRIGHTEST, labels.to(torch.int64)
