"""Scaled dot-product attention, forward and backward."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Cost, Step, enter


def _attention(batch: int, heads: int, length: int, width: int, causal: bool, masked: bool = False) -> None:
    def tensors(torch: Any, batch: int, heads: int, length: int, gradient: bool) -> list[Any]:
        torch.manual_seed(0)
        return [torch.randn(batch, heads, length, width, requires_grad=gradient) for _ in range(3)]

    def attend(torch: Any, length: int, parts: list[Any]) -> Any:
        mask = torch.ones(length, length, dtype=torch.bool).tril() if masked else None
        return torch.nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask, is_causal=causal)

    def forward(torch: Any, batch: int, heads: int, length: int) -> Step:
        parts = tensors(torch, batch, heads, length, False)
        return lambda: attend(torch, length, parts)

    def backward(torch: Any, batch: int, heads: int, length: int) -> Step:
        parts = tensors(torch, batch, heads, length, True)
        y = attend(torch, length, parts)
        gradient = torch.randn(*y.shape)
        return lambda: torch.autograd.grad(y, parts, gradient, retain_graph=True)[0]

    kind = "causal" if causal else "masked" if masked else "full"
    operations = 2 * 2.0 * batch * heads * length**2 * width * (0.5 if causal else 1.0)
    array = 4.0 * batch * heads * length * width
    shape = f"{batch}x{heads}x{length}x{width}"
    sizes = {"batch": batch, "heads": heads, "length": length}
    title = f"attention, {kind}, {shape}"
    enter(
        f"attention/forward/{kind}-{shape}", title, forward, cost=Cost(operations, 3 * array, array), **sizes
    )
    enter(
        f"attention/backward/{kind}-{shape}",
        f"{title}, gradient",
        backward,
        cost=Cost(2.5 * operations, 5 * array, 3 * array),
        **sizes,
    )


for _causal in (False, True):
    _attention(4, 6, 256, 64, _causal)
    _attention(1, 12, 1024, 64, _causal)
    _attention(1, 8, 2048, 128, _causal)
    _attention(32, 8, 32, 64, _causal)
_attention(4, 6, 256, 64, False, masked=True)
