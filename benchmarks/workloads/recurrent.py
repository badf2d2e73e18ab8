"""Recurrent layers over whole sequences, forward, and forward with backward."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Cost, Step, enter


def _recurrent(kind: str, gates: int, length: int, batch: int, width: int, layers: int) -> None:
    def prepare(torch: Any, length: int, batch: int, backward: bool) -> Step:
        torch.manual_seed(0)
        layer = getattr(torch.nn, kind)(width, width, layers)
        x = torch.randn(length, batch, width)

        def forward() -> Any:
            with torch.no_grad():
                return layer(x)[0]

        def both() -> Any:
            layer.zero_grad()
            y = layer(x)[0]
            y.sum().backward()
            return y

        return both if backward else forward

    operations = 2.0 * length * batch * layers * gates * width * 2 * width
    for direction, backward in (("forward", False), ("backward", True)):
        enter(
            f"recurrent/{direction}/{kind.lower()}-{length}x{batch}x{width}x{layers}",
            f"{kind}, {length} x {batch}, {layers} of {width}"
            + (", forward and backward" if backward else ""),
            lambda torch, length, batch, backward=backward: prepare(torch, length, batch, backward),
            cost=Cost(operations * (3 if backward else 1)),
            length=length,
            batch=batch,
        )


for _kind, _gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    _recurrent(_kind, _gates, 35, 20, 200, 2)
    _recurrent(_kind, _gates, 28, 64, 128, 1)
    _recurrent(_kind, _gates, 50, 1, 256, 1)
