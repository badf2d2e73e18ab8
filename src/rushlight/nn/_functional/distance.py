"""Distances, similarities and normalization to unit length."""

from __future__ import annotations

import rushlight
from rushlight import _C, Tensor

from ._arguments import computing


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return _C.linalg_vector_norm(x1 - x2 + eps, p, -1, keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps)) along `dim`; the inputs broadcast."""
    dtype = rushlight.promote_types(x1.dtype, x2.dtype)
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {_scalar_type(dtype)}"
        )
    x1, x2 = rushlight.broadcast_tensors(computing(x1.to(dtype)), computing(x2.to(dtype)))
    # Each vector is divided by its own length: the product of lengths might overflow.
    first, second = (x / _C.linalg_vector_norm(x, 2, dim, True).clamp(min=eps) for x in (x1, x2))
    return (first * second).sum(dim).to(dtype)


def _scalar_type(dtype: object) -> str:
    names = {
        "int64": "Long",
        "int32": "Int",
        "int16": "Short",
        "int8": "Char",
        "uint8": "Byte",
        "bool": "Bool",
    }
    name = str(dtype).rpartition(".")[2]
    return names.get(name, name)


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x / max(|x|_p, eps) along `dim`.

    >>> import rushlight as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    length = _C.linalg_vector_norm(input, p, dim, True).clamp(min=eps)
    return input / length if out is None else rushlight.div(input, length, out=out)
