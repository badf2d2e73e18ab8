"""Scaled dot-product attention, forward and backward."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Cost, Step, enter


def _attention(
    batch: int,
    heads: int,
    length: int,
    width: int,
    causal: bool,
    masked: bool = False,
    queries: int = 0,
    key_heads: int = 0,
) -> None:
    """Enter attention of as many queries as keys, or else of `queries`, with heads of keys of their own or `key_heads`."""

    def tensors(torch: Any, batch: int, heads: int, length: int, gradient: bool) -> list[Any]:
        torch.manual_seed(0)
        shapes = [(batch, heads, queries or length, width)] + 2 * [(batch, key_heads or heads, length, width)]
        return [torch.randn(*shape, requires_grad=gradient) for shape in shapes]

    def attend(torch: Any, length: int, parts: list[Any]) -> Any:
        mask = torch.ones(length, length, dtype=torch.bool).tril() if masked else None
        return torch.nn.functional.scaled_dot_product_attention(
            *parts, attn_mask=mask, is_causal=causal, enable_gqa=key_heads > 0
        )

    def forward(torch: Any, batch: int, length: int, heads: int = heads) -> Step:
        parts = tensors(torch, batch, heads, length, False)
        return lambda: attend(torch, length, parts)

    def backward(torch: Any, batch: int, length: int, heads: int = heads) -> Step:
        parts = tensors(torch, batch, heads, length, True)
        y = attend(torch, length, parts)
        gradient = torch.randn(*y.shape)
        return lambda: torch.autograd.grad(y, parts, gradient, retain_graph=True)[0]

    kind = "causal" if causal else "masked" if masked else "full"
    operations = 2 * 2.0 * batch * heads * (queries or length) * length * width * (0.5 if causal else 1.0)
    array = 4.0 * batch * (key_heads or heads) * length * width
    shape = f"{batch}x{heads}x{length}x{width}"
    if queries or key_heads:
        shape += f"-{queries or length}-queries-{key_heads or heads}-key-heads"
    sizes = {"batch": batch, "length": length} | ({} if key_heads else {"heads": heads})
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
_attention(1, 8, 512, 64, False, queries=1)
_attention(1, 16, 512, 64, False, queries=1, key_heads=4)
