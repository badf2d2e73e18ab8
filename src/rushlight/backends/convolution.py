"""How convolutions are computed.

Convolutions of 3x3 kernels with stride 1 in ``float32`` use Winograd's minimal filtering F(4x4, 3x3) where they have
channels enough to gain by it: a quarter of the multiplications, with errors a few times those of the plain sum and
within 1e-4 of the result's largest element. It differs in one more way: an infinite or NaN element spreads to all
of its tile of 4x4 outputs. Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rushlight import _C

__all__ = ["flags", "set_winograd_enabled", "winograd_enabled"]


def winograd_enabled() -> bool:
    """Whether 3x3 convolutions may use Winograd's minimal filtering.

    >>> winograd_enabled()
    True
    """
    return _C._winograd_enabled()


def set_winograd_enabled(enabled: bool) -> None:
    """Allow Winograd's minimal filtering in every thread, or sum every convolution plainly.

    >>> set_winograd_enabled(False)
    >>> winograd_enabled()
    False
    >>> set_winograd_enabled(True)
    """
    _C._set_winograd_enabled(bool(enabled))


@contextmanager
def flags(*, winograd: bool) -> Iterator[None]:
    """Set how convolutions are computed for a block.

    >>> with flags(winograd=False):
    ...     winograd_enabled()
    False
    >>> winograd_enabled()
    True
    """
    before = winograd_enabled()
    set_winograd_enabled(winograd)
    try:
        yield
    finally:
        set_winograd_enabled(before)
