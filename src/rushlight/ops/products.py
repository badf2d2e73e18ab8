"""Products and distances: inner, kron, cross, chained dot products, cdist, pdist, dist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rushlight
from rushlight import _C
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


@operator("inner(Tensor self, Tensor other) -> Tensor", method=True, out=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sum of products over the last dimensions; a plain product where either is a scalar.

    Raises:
        RuntimeError: where the last sizes differ.

    >>> rushlight.inner(rushlight.tensor([1.0, 2.0]), rushlight.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if input.dim() == 0 or other.dim() == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return rushlight.tensordot(input, other, dims=([-1], [-1]))


@operator("kron(Tensor self, Tensor other) -> Tensor", method=True, out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of `input` times the whole of `other`.

    >>> rushlight.kron(rushlight.eye(2), rushlight.ones(1, 2)).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    rank = max(input.dim(), other.dim())
    first = [1] * (rank - input.dim()) + list(input.shape)
    second = [1] * (rank - other.dim()) + list(other.shape)
    outer = input.reshape([size for a in first for size in (a, 1)])
    product = outer * other.reshape([size for b in second for size in (1, b)])
    return product.reshape([a * b for a, b in zip(first, second)])


def _cross(name: str, input: Tensor, other: Tensor, dim: int) -> Tensor:
    if input.dim() != other.dim():
        raise RuntimeError(f"{name}: inputs must have the same number of dimensions.")
    if not -input.dim() <= dim < input.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], "
            f"but got {dim})"
        )
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"{name}: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
        )
    a, b = rushlight.broadcast_tensors(input, other)
    dtype = rushlight.promote_types(a.dtype, b.dtype)
    a, b = a.to(dtype), b.to(dtype)
    a0, a1, a2 = a.unbind(dim)
    b0, b1, b2 = b.unbind(dim)
    return rushlight.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)


@operator("linalg.cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor", out=True)
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of three along a dimension, others broadcast.

    Raises:
        RuntimeError: where that dimension is not of size three, or the ranks differ.

    >>> rushlight.linalg.cross(rushlight.tensor([1.0, 0, 0]), rushlight.tensor([0, 1.0, 0]))
    tensor([0., 0., 1.])
    """
    return _cross("linalg.cross", input, other, dim)


@operator("cross(Tensor self, Tensor other, int? dim=None) -> Tensor", method=True, out=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of three, by default along the first dimension of that size.

    Raises:
        RuntimeError: where no dimension is of size three, or the ranks differ.

    >>> rushlight.cross(rushlight.tensor([1.0, 0, 0]), rushlight.tensor([0, 1.0, 0]), dim=0)
    tensor([0., 0., 1.])
    """
    if dim is None:
        dims = [axis for axis, size in enumerate(input.shape) if size == 3]
        if not dims:
            raise RuntimeError("no dimension of size 3 in input")
        dim = dims[0]
    return _cross("linalg.cross", input, other, dim)


@operator("chain_matmul(Tensor[] matrices) -> Tensor")
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices, from left to right.

    >>> rushlight.chain_matmul(rushlight.eye(2), rushlight.ones(2, 1)).tolist()
    [[1.0], [1.0]]
    """
    product = matrices[0]
    for matrix in matrices[1:]:
        product = product @ matrix
    return product


@operator("dist(Tensor self, Tensor other, Scalar p=2) -> Tensor", method=True)
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference.

    >>> rushlight.dist(rushlight.tensor([0.0, 0.0]), rushlight.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return rushlight.norm(input - other, p)


def _p_distance(difference: Tensor, p: float) -> Tensor:
    """p-norm over the last dimension; its gradient at zero is zero for every p."""
    if p == 2:
        return _C.linalg_vector_norm(difference, 2, -1)
    size = difference.abs()
    if p == 0:
        return size.masked_fill(size != 0, 1).sum(-1)
    if p == 1:
        return size.sum(-1)
    if p == float("inf"):
        if size.shape[-1] == 0:
            return size.sum(-1)
        return size.amax(-1)
    zero = size == 0
    powers = size.masked_fill(zero, 1).pow(p).masked_fill(zero, 0).sum(-1)
    empty = powers == 0
    return powers.masked_fill(empty, 1).pow(1 / p).masked_fill(empty, 0)


@operator("cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None) -> Tensor")
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """The p-norm distance of each pair of rows: (..., P, M), (..., R, M) -> (..., P, R).

    Raises:
        RuntimeError: for inputs of fewer than two dimensions, different widths, or a negative p.
        ValueError: for an unknown compute mode.

    >>> rushlight.cdist(rushlight.zeros(1, 2), rushlight.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """
    modes = (
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    )
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, tensor in (("X1", x1), ("X2", x2)):
        if not tensor.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {tensor.dtype}")
        if tensor.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {tensor.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    many = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and (compute_mode == modes[1] or (compute_mode == modes[0] and many)):
        return _C._euclidean_dist(x1, x2)
    return _p_distance(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


@operator("pdist(Tensor self, float p=2) -> Tensor")
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distance of every two rows of a matrix, in the order of combinations.

    Raises:
        RuntimeError: for an input that is not a matrix of floating point, or a negative p.

    >>> rushlight.pdist(rushlight.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([5.])
    """
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = rushlight.triu_indices(input.shape[0], input.shape[0], 1).unbind(0)
    return _p_distance(input[first] - input[second], p)
