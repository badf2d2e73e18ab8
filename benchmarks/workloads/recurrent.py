"""Recurrent layers over whole sequences, forward, and forward with backward."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Cost, Step, enter


def _recurrent(
    kind: str,
    gates: int,
    length: int,
    batch: int,
    width: int,
    layers: int,
    dtype: str = "float32",
    projected: int = 0,
) -> None:
    """Enter a layer; `projected` is the width that an LSTM's states are projected to, 0 for their own."""
    options = {"proj_size": projected} if projected else {}

    def prepare(torch: Any, length: int, batch: int, backward: bool) -> Step:
        torch.manual_seed(0)
        kept = getattr(torch, dtype)
        layer = getattr(torch.nn, kind)(width, width, layers, **options).to(kept)
        x = torch.randn(length, batch, width).to(kept)

        def forward() -> Any:
            with torch.no_grad():
                return layer(x)[0]

        def both() -> Any:
            layer.zero_grad()
            y = layer(x)[0]
            y.sum().backward()
            return y

        return both if backward else forward

    operations = 2.0 * length * batch * layers * gates * width * (width + (projected or width))
    if projected:
        operations += 2.0 * length * batch * layers * width * projected
    name = f"{kind.lower()}-{length}x{batch}x{width}x{layers}"
    name += ("" if dtype == "float32" else f"-{dtype}") + (f"-projected-{projected}" if projected else "")
    for direction, backward in (("forward", False), ("backward", True)):
        enter(
            f"recurrent/{direction}/{name}",
            f"{kind}, {length} x {batch}, {layers} of {width}"
            + ("" if dtype == "float32" else f", {dtype}")
            + (f", projected to {projected}" if projected else "")
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
_recurrent("LSTM", 4, 35, 64, 256, 1, dtype="bfloat16")
_recurrent("LSTM", 4, 35, 20, 256, 1, projected=64)
