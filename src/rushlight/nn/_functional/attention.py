"""Attention (Vaswani et al., 2017)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import rushlight
from rushlight import _C, Tensor

from .activation import dropout
from .linear import linear

scaled_dot_product_attention = _C.scaled_dot_product_attention


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `MultiheadAttention` computes: query (L, N, E), key and value (S, N, E), or all without N.

    Returns the output (L, N, E) and, if `need_weights`, the attention weights (N, L, S), averaged over the heads or
    (N, heads, L, S). Masks are boolean, True standing for what is left out, or are added to the scores.
    """
    is_batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not is_batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    target_length, batch, embed_dim = query.shape
    source_length = key.size(0)
    key_padding_mask = _additive(
        key_padding_mask, "key_padding_mask", query.dtype, _dtype_of(attn_mask), "attn_mask"
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _additive(attn_mask, "attn_mask", query.dtype, None, "")
        is_causal = is_causal and key_padding_mask is None
    if embed_dim != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}"
        )
    head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")

    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        for name, weight in zip(("q", "k", "v"), weights, strict=True):
            if weight is None:
                raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = (linear(*one) for one in zip((query, key, value), weights, biases, strict=True))
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _packed_projection(query, key, value, in_proj_weight, in_proj_bias)

    attn_mask = _batched_mask(attn_mask, target_length, source_length, batch, num_heads)
    if bias_k is not None and bias_v is not None:
        k = rushlight.cat([k, bias_k.repeat(1, batch, 1)])
        v = rushlight.cat([v, bias_v.repeat(1, batch, 1)])
        attn_mask, key_padding_mask = _widened(attn_mask), _widened(key_padding_mask)

    q = q.reshape(target_length, batch * num_heads, head_dim).transpose(0, 1)
    k = _heads(k, static_k, "static_k", batch * num_heads, head_dim)
    v = _heads(v, static_v, "static_v", batch * num_heads, head_dim)
    if add_zero_attn:
        k, v = (rushlight.cat([t, t.new_zeros((batch * num_heads, 1, head_dim))], 1) for t in (k, v))
        attn_mask, key_padding_mask = _widened(attn_mask), _widened(key_padding_mask)
    source_length = k.size(1)
    mask = _merged_mask(attn_mask, key_padding_mask, batch, num_heads, source_length)
    if not training:
        dropout_p = 0.0

    weights = None
    if need_weights:
        scores = (q * math.sqrt(1.0 / head_dim)).bmm(k.transpose(-2, -1))
        weights = (scores if mask is None else scores + mask).softmax(-1)
        if dropout_p > 0.0:
            weights = dropout(weights, dropout_p)
        mixed = weights.bmm(v)
    else:
        if mask is not None:
            mask = mask.expand(batch * num_heads, target_length, source_length) if mask.size(0) == 1 else mask
            mask = mask.reshape(batch, num_heads, -1, source_length)
        heads = (t.reshape(batch, num_heads, -1, head_dim) for t in (q, k, v))
        mixed = scaled_dot_product_attention(*heads, mask, dropout_p, is_causal)
        mixed = mixed.reshape(batch * num_heads, target_length, head_dim)

    mixed = mixed.transpose(0, 1).reshape(target_length * batch, embed_dim)
    output = linear(mixed, out_proj_weight, out_proj_bias).reshape(target_length, batch, -1)
    if weights is not None:
        weights = weights.reshape(batch, num_heads, target_length, source_length)
        weights = weights.mean(1) if average_attn_weights else weights
        weights = weights if is_batched else weights.squeeze(0)
    return (output if is_batched else output.squeeze(1)), weights


def _check_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """AssertionError where the ranks do not fit; whether the inputs have a batch dimension."""
    dims = query.dim()
    if dims not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor"
        )
    start = f"For {'batched' if dims == 3 else 'unbatched'} ({dims}-D) `query`, expected"
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(
            f"{start} `key` and `value` to be {dims}-D but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != dims - 1:
        raise AssertionError(
            f"{start} `key_padding_mask` to be `None` or {dims - 1}-D but found {key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"{start} `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead"
            )
        expected = (num_heads, query.size(0), key.size(0))
        if dims == 2 and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return dims == 3


def _dtype_of(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.dtype


def _additive(mask: Tensor | None, name: str, dtype: Any, other_dtype: Any, other_name: str) -> Tensor | None:
    """The mask as numbers to add to the scores."""
    if mask is None:
        return None
    if mask.dtype != rushlight.bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other_dtype is not None and other_dtype != mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    return rushlight.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))


def _packed_projection(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Projects the three inputs with the three parts of one weight, in as few products as they allow."""
    embed_dim = query.size(-1)
    if key is value and query is key:
        return linear(query, weight, bias).chunk(3, -1)
    if key is value:
        first = linear(query, weight[:embed_dim], None if bias is None else bias[:embed_dim])
        rest = linear(key, weight[embed_dim:], None if bias is None else bias[embed_dim:])
        return (first, *rest.chunk(2, -1))
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(linear(*one) for one in zip((query, key, value), weight.chunk(3), biases, strict=True))


def _batched_mask(
    mask: Tensor | None, target_length: int, source_length: int, batch: int, num_heads: int
) -> Tensor | None:
    if mask is None:
        return None
    expected = (target_length, source_length)
    if mask.dim() == 3:
        expected = (batch * num_heads, *expected)
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _widened(mask: Tensor | None) -> Tensor | None:
    """The mask with one more, visible, source position."""
    return None if mask is None else _C.constant_pad_nd(mask, [0, 1], 0)


def _heads(projected: Tensor, static: Tensor | None, name: str, count: int, head_dim: int) -> Tensor:
    if static is None:
        return projected.reshape(projected.size(0), count, head_dim).transpose(0, 1)
    if static.size(0) != count:
        raise AssertionError(f"expecting {name}.size(0) of {count}, but got {static.size(0)}")
    if static.size(2) != head_dim:
        raise AssertionError(f"expecting {name}.size(2) of {head_dim}, but got {static.size(2)}")
    return static


def _merged_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, batch: int, num_heads: int, source_length: int
) -> Tensor | None:
    if key_padding_mask is None:
        return attn_mask
    if key_padding_mask.size(0) != batch:
        raise AssertionError(
            f"Expected key_padded_mask.shape[0] to be {batch}, but got {key_padding_mask.size(0)}"
        )
    if key_padding_mask.size(1) != source_length:
        raise AssertionError(
            f"Expected key_padded_mask.shape[1] to be {source_length}, but got {key_padding_mask.size(1)}"
        )
    by_head = key_padding_mask.reshape(batch, 1, 1, source_length).expand(-1, num_heads, -1, -1)
    by_head = by_head.reshape(batch * num_heads, 1, source_length)
    return by_head if attn_mask is None else attn_mask + by_head
