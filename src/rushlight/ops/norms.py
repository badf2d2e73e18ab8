"""Norms of vectors, and of the elements of a tensor."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import _C, Tensor
from rushlight.ops.registry import operator


@operator(
    "linalg.vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    out=True,
)
def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """(sum |x|^ord)^(1/ord) over all or given dimensions; inf, -inf and 0 are the limits.

    >>> rushlight.linalg.vector_norm(rushlight.tensor([3.0, -4.0]))
    tensor(5.)
    """
    return _C.linalg_vector_norm(x, ord, dim, keepdim, dtype=dtype)


@operator(
    "norm(Tensor self, Scalar? p='fro', int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    method=True,
    out=True,
)
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """Norm of order `p` of the elements, over all or given dimensions: a number, 'fro' (2) or 'nuc'.

    'nuc' is the sum of singular values of matrices. Raises RuntimeError for integers.

    >>> rushlight.norm(rushlight.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p != "nuc":
        order = 2 if p is None or p == "fro" else p
        if isinstance(order, str):
            raise RuntimeError(f"linalg.matrix_norm: Order {order} not supported.")
        return _C.linalg_vector_norm(input, order, dim, keepdim, dtype=dtype)
    dims = list(range(input.dim())) if dim is None else dim
    return rushlight.linalg.matrix_norm(input, "nuc", dims, keepdim, dtype=dtype)


@operator(
    "renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor", method=True, inplace=True, out=True
)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim` scaled down, where their norm of order `p` is larger, to the norm `maxnorm`.

    Raises:
        RuntimeError: for fewer than two dimensions, `p` that is not positive, or negative `maxnorm`.

    >>> rushlight.renorm(rushlight.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.dim() < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.dim()} dimensions")
    input = input.clone()  # the in-place form overwrites the original, which the gradient needs
    others = [d for d in range(input.dim()) if d != dim % input.dim()]
    wide = rushlight.float32 if input.dtype in (rushlight.float16, rushlight.bfloat16) else None
    source = input if wide is None else input.to(wide)
    norms = _C.linalg_vector_norm(source, p, others, True)
    factors = rushlight.where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)
    return (source * factors).to(input.dtype).contiguous()
