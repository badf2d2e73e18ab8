"""The linalg namespace, and the older names of its operators, over the routines of linear_algebra."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.arrays import dtype_name, to_array, to_tensor
from rushlight.ops.linear_algebra import LinAlgError, apply, check_matrix, check_square, factor_lu
from rushlight.ops.registry import operator

if TYPE_CHECKING:
    from rushlight import Tensor


@functools.cache
def _result(name: str, fields: str) -> Any:
    """The named tuple of an operator's results."""
    from collections import namedtuple

    return namedtuple(name, fields.split())


def _raise_singular(name: str, info: Tensor, problem: str) -> None:
    if not bool(info.any()):
        return
    where = info.reshape(-1).nonzero()[0].item()
    batch = f"(Batch element {where}): " if info.dim() else ""
    order = info.reshape(-1)[where].item()
    raise LinAlgError(f"{name}: {batch}{problem.format(order)}")


_SINGULAR = "The diagonal element {0} is zero, the inversion could not be completed because the input matrix is singular."
_UNSOLVED = "The solver failed because the input matrix is singular."
_INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor "
    "of order {0} is not positive-definite)."
)


def _vector_right(left: Tensor, right: Tensor) -> bool:
    """Whether linalg.solve takes `right` as a batch of vectors."""
    return right.dim() == 1 or (left.dim() - 1 == right.dim() and left.shape[:-1] == right.shape)


def _broadcast_batch(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    batch = rushlight.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    return left.expand(*batch, *left.shape[-2:]), right.expand(*batch, *right.shape[-2:])


# Inverses and systems


@operator("linalg.inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)", out=True)
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:  # noqa: N803
    """The inverse of each matrix, and an integer that is zero where it exists.

    >>> rushlight.linalg.inv_ex(rushlight.eye(2) * 2).inverse.tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    check_square("linalg.inv", A)
    inverse, info = apply("Inverse", A)
    if check_errors:
        _raise_singular("linalg.inv_ex", info, _SINGULAR)
    return _result("linalg_inv_ex", "inverse info")(inverse, info)


@operator("linalg.inv(Tensor A) -> Tensor", out=True)
def inv(A: Tensor) -> Tensor:  # noqa: N803
    """The inverse of each matrix.

    Raises:
        RuntimeError: for what is not square.
        LinAlgError: for a singular matrix.

    >>> rushlight.linalg.inv(rushlight.eye(2) * 2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    inverse, info = inv_ex(A)
    _raise_singular("linalg.inv", info, _SINGULAR)
    return inverse


@operator("inverse(Tensor self) -> Tensor", method=True, out=True)
def inverse(input: Tensor) -> Tensor:
    """Another name of linalg.inv.

    >>> rushlight.inverse(rushlight.eye(2) * 2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    return inv(input)


@operator(
    "linalg.solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False)"
    " -> (Tensor result, Tensor info)",
    out=True,
)
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:  # noqa: N803
    """The solution of A X = B, or of X A = B, and an integer that is zero where there is one.

    >>> rushlight.linalg.solve_ex(rushlight.eye(2) * 2, rushlight.ones(2)).result
    tensor([0.5000, 0.5000])
    """
    check_square("linalg.solve", A)
    vector = _vector_right(A, B)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this "
            "case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    right = B.unsqueeze(-1) if vector else B
    side = -2 if left else -1
    if A.shape[-1] != right.shape[side]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})"
        )
    matrix, right = _broadcast_batch(A, right)
    if left:
        result, info = apply("Solve", matrix, right)
    else:
        result, info = apply("Solve", matrix.mT, right.mT)
        result = result.mT
    if check_errors:
        _raise_singular("torch.linalg.solve_ex", info, _UNSOLVED)
    return _result("linalg_solve_ex", "result info")(result.squeeze(-1) if vector else result, info)


@operator("linalg.solve(Tensor A, Tensor B, *, bool left=True) -> Tensor", out=True)
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:  # noqa: N803
    """The solution of A X = B, or of X A = B.

    Raises:
        RuntimeError: for shapes that do not fit.
        LinAlgError: for a singular matrix.

    >>> rushlight.linalg.solve(rushlight.eye(2) * 2, rushlight.ones(2))
    tensor([0.5000, 0.5000])
    """
    result, info = solve_ex(A, B, left=left)
    _raise_singular("torch.linalg.solve", info, _UNSOLVED)
    return result


@operator(
    "linalg.solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False)"
    " -> Tensor",
    out=True,
)
def solve_triangular(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor:
    """The solution of A X = B, or of X A = B, for one triangle of A.

    Raises:
        RuntimeError: for shapes that do not fit.

    >>> rushlight.linalg.solve_triangular(rushlight.eye(2) * 2, rushlight.ones(2, 1), upper=True).tolist()
    [[0.5], [0.5]]
    """
    check_square("linalg.solve_triangular", A)
    if A.shape[-1] != B.shape[-2 if left else -1]:
        raise RuntimeError(
            "linalg.solve_triangular: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    matrix, right = _broadcast_batch(A, B)
    if left:
        return apply("SolveTriangular", matrix, right, upper, unitriangular)
    return apply("SolveTriangular", matrix.mT, right.mT, not upper, unitriangular).mT


@operator(
    "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False)"
    " -> (Tensor solution, Tensor cloned_coefficient)",
    method=True,
    out=True,
)
def triangular_solve(
    b: Tensor,
    A: Tensor,  # noqa: N803
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    """The solution of A X = b for one triangle of A, and a copy of A.

    >>> rushlight.triangular_solve(rushlight.ones(2, 1), rushlight.eye(2) * 2).solution.tolist()
    [[0.5], [0.5]]
    """
    matrix, right = _broadcast_batch(A, b)
    used = matrix.mH if transpose else matrix
    solution = apply("SolveTriangular", used, right, upper != transpose, unitriangular)
    return _result("triangular_solve", "solution cloned_coefficient")(solution, matrix.clone())


# Cholesky


@operator(
    "linalg.cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
    out=True,
)
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """The triangular factor of each positive-definite matrix, and zero or the order of the minor that is not.

    >>> rushlight.linalg.cholesky_ex(rushlight.eye(2) * 4).L.tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    check_square("linalg.cholesky", input)
    factor, info = apply("Cholesky", input, upper)
    if check_errors:
        _raise_singular("torch.linalg.cholesky_ex", info, _INDEFINITE)
    return _result("linalg_cholesky_ex", "L info")(factor.mH if upper else factor, info)


@operator("linalg.cholesky(Tensor self, *, bool upper=False) -> Tensor", out=True)
def linalg_cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """The lower L with L L^H = A of each positive-definite matrix, or the upper one.

    Raises:
        RuntimeError: for what is not square.
        LinAlgError: for a matrix that is not positive definite.

    >>> rushlight.linalg.cholesky(rushlight.eye(2) * 4).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    factor, info = cholesky_ex(input, upper=upper)
    _raise_singular("linalg.cholesky", info, _INDEFINITE)
    return factor


@operator("cholesky(Tensor self, bool upper=False) -> Tensor", method=True, out=True)
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The older name of linalg.cholesky.

    >>> rushlight.cholesky(rushlight.eye(2) * 4).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    check_square("cholesky", input)
    factor, info = cholesky_ex(input, upper=upper)
    _raise_singular("cholesky", info, _INDEFINITE)
    return factor


@operator("cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor", method=True, out=True)
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:  # noqa: N803
    """The solution of A X = B for the Cholesky factor of A.

    >>> rushlight.cholesky_solve(rushlight.ones(2, 1), rushlight.eye(2) * 2).tolist()
    [[0.25], [0.25]]
    """
    if B.dim() < 2:
        raise RuntimeError(f"b should have at least 2 dimensions, but has {B.dim()} dimensions instead")
    if L.dim() < 2:
        raise RuntimeError(f"u should have at least 2 dimensions, but has {L.dim()} dimensions instead")
    factor, right = _broadcast_batch(L, B)
    return apply("CholeskySolve", right, factor.mH if upper else factor)


@operator("cholesky_inverse(Tensor self, bool upper=False) -> Tensor", method=True, out=True)
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:  # noqa: N803
    """The inverse of A for its Cholesky factor.

    >>> rushlight.cholesky_inverse(rushlight.eye(2) * 2).tolist()
    [[0.25, 0.0], [0.0, 0.25]]
    """
    check_square("cholesky_inverse", L)
    return cholesky_solve(rushlight.eye(L.shape[-1], dtype=L.dtype), L, upper)


# LU


def _factor(A: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: N803
    """The rows of A in pivoted order factored, differentiable; pivots, permutation and info."""
    rows, columns = A.shape[-2:]
    array = to_array(A)
    factors, pivots = factor_lu(array.reshape(math.prod(A.shape[:-2]), rows, columns))
    order = _permutation(pivots, rows)
    info = _zero_pivots(factors)
    batch = tuple(A.shape[:-2])
    name = dtype_name(A)
    packed = to_tensor(factors.reshape(array.shape), name)
    permutation = to_tensor(order.reshape(*batch, rows), "int64")
    if A.requires_grad and rushlight.is_grad_enabled():
        permuted = A.gather(-2, permutation.unsqueeze(-1).expand(A.shape))
        packed = _differentiable_factors(permuted, packed)
    return (
        packed,
        to_tensor(pivots.reshape(*batch, min(rows, columns)), "int32"),
        permutation,
        to_tensor(info.reshape(batch), "int32"),
    )


def _differentiable_factors(permuted: Tensor, packed: Tensor) -> Tensor:
    """L and U in one, as a function of the permuted matrix: the square corner's, then the rest by solving."""
    rows, columns = permuted.shape[-2:]
    size = min(rows, columns)
    corner = apply("Triangles", permuted[..., :size, :size], packed[..., :size, :size])
    if rows > columns:
        below = apply("SolveTriangular", corner.mT, permuted[..., size:, :].mT, False, False).mT
        return rushlight.cat([corner, below], -2)
    if columns > rows:
        beside = apply("SolveTriangular", corner, permuted[..., size:], False, True)
        return rushlight.cat([corner, beside], -1)
    return corner


def _permutation(pivots: Any, rows: int) -> Any:
    """The order of rows that successive swaps leave."""
    import numpy as np

    order = np.tile(np.arange(rows), (len(pivots), 1))
    each = np.arange(len(pivots))
    for step in range(pivots.shape[1]):
        chosen = pivots[:, step] - 1
        swapped = order[each, chosen].copy()
        order[each, chosen] = order[:, step]
        order[:, step] = swapped
    return order


def _zero_pivots(factors: Any) -> Any:
    """For each matrix the first zero pivot, counted from one, or zero."""
    zero = factors.diagonal(axis1=-2, axis2=-1) == 0
    return (zero.argmax(-1) + 1) * zero.any(-1) if zero.shape[-1] else zero.sum(-1)


def _permutation_matrix(permutation: Tensor, dtype: Any) -> Tensor:
    size = permutation.shape[-1]
    matrix = (permutation.unsqueeze(-2) == rushlight.arange(size).unsqueeze(-1)).to(dtype)
    return matrix


@operator(
    "linalg.lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False)"
    " -> (Tensor LU, Tensor pivots, Tensor info)",
    out=True,
)
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:  # noqa: N803
    """LU with partial pivoting: both factors in one, the swaps, and zero or the first zero pivot.

    Raises:
        RuntimeError: without pivoting, which PyTorch has on CUDA alone.

    >>> rushlight.linalg.lu_factor_ex(rushlight.eye(2)).pivots.tolist()
    [1, 2]
    """
    check_matrix("torch.linalg.lu_factor", A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    factors, pivots, _, info = _factor(A)
    if check_errors:
        _raise_singular("torch.linalg.lu_factor_ex", info, _SINGULAR_FACTOR)
    return _result("linalg_lu_factor_ex", "LU pivots info")(factors, pivots, info)


_SINGULAR_FACTOR = (
    "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
    "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)


@operator("linalg.lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)", out=True)
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:  # noqa: N803
    """LU with partial pivoting: both factors in one, and the swaps.

    Raises:
        LinAlgError: for a singular matrix.

    >>> rushlight.linalg.lu_factor(rushlight.eye(2)).LU.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    factors, pivots, info = lu_factor_ex(A, pivot=pivot)
    _raise_singular("torch.linalg.lu_factor", info, _SINGULAR_FACTOR)
    return _result("linalg_lu_factor", "LU pivots")(factors, pivots)


@operator("linalg.lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)", out=True)
def linalg_lu(A: Tensor, *, pivot: bool = True) -> Any:  # noqa: N803
    """P, L and U with P L U = A.

    >>> [item.tolist() for item in rushlight.linalg.lu(rushlight.eye(1))]
    [[[1.0]], [[1.0]], [[1.0]]]
    """
    check_matrix("torch.linalg.lu", A)
    if not pivot:
        raise RuntimeError("linalg.lu: LU without pivoting is not implemented on the CPU")
    factors, _, permutation, _ = _factor(A)
    lower, upper = _unpack(factors)
    return _result("linalg_lu", "P L U")(_permutation_matrix(permutation, A.dtype), lower, upper)


def _unpack(factors: Tensor) -> tuple[Tensor, Tensor]:
    size = min(factors.shape[-2:])
    lower = factors[..., :size].tril(-1)
    lower = lower + rushlight.eye(lower.shape[-2], size, dtype=lower.dtype)
    return lower, factors[..., :size, :].triu()


@operator(
    "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True)"
    " -> (Tensor P, Tensor L, Tensor U)",
    out=True,
)
def lu_unpack(
    LU_data: Tensor,  # noqa: N803
    LU_pivots: Tensor,  # noqa: N803
    unpack_data: bool = True,
    unpack_pivots: bool = True,
) -> Any:
    """P, L and U of what linalg.lu_factor gives.

    Raises:
        RuntimeError: for pivots that are not 32-bit integers.

    >>> rushlight.lu_unpack(*rushlight.linalg.lu_factor(rushlight.eye(1))).P.tolist()
    [[1.0]]
    """
    if unpack_pivots and LU_pivots.dtype != rushlight.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\nNote: this "
            "function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    empty = LU_data.new_empty((0,))
    lower, upper = _unpack(LU_data) if unpack_data else (empty, empty)
    matrix = empty
    if unpack_pivots:
        rows = LU_data.shape[-2]
        pivots = to_array(LU_pivots)
        order = _permutation(pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1]), rows)
        permutation = to_tensor(order.reshape(*pivots.shape[:-1], rows), "int64")
        matrix = _permutation_matrix(permutation, LU_data.dtype)
    return _result("lu_unpack", "P L U")(matrix, lower, upper)


@operator(
    "linalg.lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    out=True,
)
def linalg_lu_solve(
    LU: Tensor,  # noqa: N803
    pivots: Tensor,
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    adjoint: bool = False,
) -> Tensor:
    """The solution of A X = B, or of X A = B, or for A^H, given what linalg.lu_factor makes of A.

    >>> rushlight.linalg.lu_solve(*rushlight.linalg.lu_factor(rushlight.eye(1) * 2), rushlight.ones(1, 1))
    tensor([[0.5000]])
    """
    if not left:
        return linalg_lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    matrix, lower, upper = lu_unpack(LU, pivots)
    lower, right = _broadcast_batch(lower, B)
    upper, _ = _broadcast_batch(upper, B)
    if adjoint:
        half = apply("SolveTriangular", upper.mH, right, False, False)
        return matrix @ apply("SolveTriangular", lower.mH, half, True, True)
    half = apply("SolveTriangular", lower, matrix.mT @ right, False, True)
    return apply("SolveTriangular", upper, half, True, False)


@operator("lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor", method=True, out=True)
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:  # noqa: N803
    """The older form of linalg.lu_solve.

    >>> rushlight.lu_solve(rushlight.ones(1, 1), *rushlight.linalg.lu_factor(rushlight.eye(1) * 2))
    tensor([[0.5000]])
    """
    return linalg_lu_solve(LU_data, LU_pivots, b)


@operator("lu(Tensor A, *, bool pivot=True, bool get_infos=False) -> (Tensor LU, Tensor pivots)", method=True)
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:  # noqa: N803
    """The older form of linalg.lu_factor.

    >>> rushlight.lu(rushlight.eye(1))[0].tolist()
    [[1.0]]
    """
    factors, pivots, info = lu_factor_ex(A, pivot=pivot)
    found = (factors, pivots, info) if get_infos else (factors, pivots)
    if out is None:
        return found
    from rushlight.ops.registry import write_out

    return write_out(out, found)


# Orthogonal factors


def _complete(orthogonal: Tensor, matrix: Tensor) -> Tensor:
    import numpy as np

    return to_tensor(np.linalg.qr(to_array(matrix), mode="complete")[0], dtype_name(matrix))


@operator("linalg.qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)", out=True)
def linalg_qr(A: Tensor, mode: str = "reduced") -> Any:  # noqa: N803
    """Q with orthonormal columns and upper triangular R with Q R = A.

    Args:
        mode: ``reduced``, ``complete`` (square Q) or ``r`` (no Q).

    Raises:
        RuntimeError: for another mode.

    >>> rushlight.linalg.qr(rushlight.eye(2)).R.abs().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    import numpy as np

    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    pair = _result("linalg_qr", "Q R")
    rows, columns = A.shape[-2:]
    if mode == "r":
        return pair(A.new_empty((0,)), to_tensor(np.linalg.qr(to_array(A), mode="r"), dtype_name(A)))
    if rows < columns:
        orthogonal, corner = apply("Orthogonal", A[..., :rows])
        return pair(orthogonal, rushlight.cat([corner, orthogonal.mH @ A[..., rows:]], -1))
    if mode == "complete" and rows > columns:
        if A.requires_grad and rushlight.is_grad_enabled():
            reduced, upper = apply("Orthogonal", A)
        else:
            upper = to_tensor(np.linalg.qr(to_array(A), mode="r"), dtype_name(A))
            reduced = A
        zeros = upper.new_zeros((*upper.shape[:-2], rows - columns, columns))
        return pair(_complete(reduced, A), rushlight.cat([upper, zeros], -2))
    return pair(*apply("Orthogonal", A))


@operator("qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)", method=True, out=True)
def qr(input: Tensor, some: bool = True) -> Any:
    """The older form of linalg.qr.

    >>> rushlight.qr(rushlight.eye(2)).R.abs().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return _result("qr", "Q R")(*linalg_qr(input, "reduced" if some else "complete"))


@operator("geqrf(Tensor self) -> (Tensor a, Tensor tau)", method=True, out=True)
def geqrf(input: Tensor) -> Any:
    """LAPACK's raw QR: R above the diagonal, reflectors below it, and their scales.

    >>> rushlight.geqrf(rushlight.eye(2)).tau.tolist()
    [0.0, 0.0]
    """
    import numpy as np

    check_matrix("torch.geqrf", input, "input")
    array = to_array(input)
    flat = array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])
    found = [np.linalg.qr(matrix, mode="raw") for matrix in flat]
    name = dtype_name(input)
    packed = np.array([item[0].T for item in found], array.dtype).reshape(array.shape)
    scales = np.array([item[1] for item in found], array.dtype)
    return _result("geqrf", "a tau")(
        to_tensor(packed, name), to_tensor(scales.reshape(*array.shape[:-2], min(array.shape[-2:])), name)
    )


def _reflect(
    vectors: Tensor, scales: Tensor, target: Tensor, order: Sequence[int], conjugate: bool
) -> Tensor:
    """Apply the Householder reflectors, one column each, to the rows of `target`."""
    rows = vectors.shape[-2]
    for index in order:
        below = vectors[..., index + 1 :, index : index + 1]
        above = vectors.new_zeros((*vectors.shape[:-2], index, 1))
        vector = rushlight.cat([above, rushlight.ones_like(vectors[..., :1, :1]), below], -2)
        assert vector.shape[-2] == rows
        scale = scales[..., index : index + 1].unsqueeze(-1)
        scale = scale.conj() if conjugate else scale
        target = target - scale * (vector @ (vector.mH @ target))
    return target


@operator("linalg.householder_product(Tensor input, Tensor tau) -> Tensor", out=True)
def householder_product(A: Tensor, tau: Tensor) -> Tensor:  # noqa: N803
    """The first columns of the product of Householder reflectors, as geqrf gives them.

    Raises:
        RuntimeError: for more columns than rows, or more scales than columns.

    >>> rushlight.linalg.householder_product(rushlight.eye(2), rushlight.zeros(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if A.dim() < 2:
        raise RuntimeError("torch.linalg.householder_product: input must have at least 2 dimensions.")
    if A.shape[-2] < A.shape[-1]:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if A.shape[-1] < tau.shape[-1]:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if tau.shape[-1] == 0:
        return A.clone().copy_(rushlight.eye(A.shape[-2], A.shape[-1], dtype=A.dtype))
    wide = rushlight.complex128 if A.is_complex() else rushlight.float64
    start = rushlight.eye(A.shape[-2], A.shape[-1], dtype=wide).expand(A.shape)
    order = range(tau.shape[-1] - 1, -1, -1)
    return _reflect(A.to(wide), tau.to(wide), start, order, conjugate=False).to(A.dtype)


@operator("orgqr(Tensor self, Tensor input2) -> Tensor", method=True, out=True)
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """Another name of linalg.householder_product.

    >>> rushlight.orgqr(rushlight.eye(2), rushlight.zeros(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return householder_product(input, tau)


@operator(
    "ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor",
    method=True,
    out=True,
)
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """The product of all of Q, given as reflectors, or of its adjoint, with a matrix.

    >>> rushlight.ormqr(rushlight.eye(2), rushlight.zeros(2), rushlight.ones(2, 1)).tolist()
    [[1.0], [1.0]]
    """
    if input.dim() < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if other.dim() < 2:
        raise RuntimeError("torch.ormqr: other must have at least 2 dimensions.")
    side = -2 if left else -1
    if tau.shape[-1] != min(other.shape[side], input.shape[-1]):
        raise RuntimeError(
            f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])"
        )
    if input.shape[-2] != other.shape[side]:
        raise RuntimeError(f"torch.ormqr: input.shape[-2] must be equal to other.shape[{side}]")
    if not left:
        return ormqr(input, tau, other.mH, True, not transpose).mH
    count = tau.shape[-1]
    order = range(count) if transpose else range(count - 1, -1, -1)
    return _reflect(input, tau, other, order, conjugate=transpose)


# Eigenvalues and singular values


@operator("linalg.eigh(Tensor self, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)", out=True)
def eigh(A: Tensor, UPLO: str = "L") -> Any:  # noqa: N803
    """Eigenvalues, rising, and vectors of Hermitian matrices, from one triangle.

    Raises:
        RuntimeError: for what is not square.
        ValueError: for another triangle than ``L`` and ``U``.

    >>> rushlight.linalg.eigh(rushlight.eye(2)).eigenvalues
    tensor([1., 1.])
    """
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return _result("linalg_eigh", "eigenvalues eigenvectors")(*apply("HermitianEigen", A, UPLO.upper()))


@operator("linalg.eigvalsh(Tensor self, str UPLO='L') -> Tensor", out=True)
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:  # noqa: N803
    """Eigenvalues, rising, of Hermitian matrices.

    >>> rushlight.linalg.eigvalsh(rushlight.eye(2))
    tensor([1., 1.])
    """
    return eigh(A, UPLO)[0]


@operator("linalg.eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)", out=True)
def eig(A: Tensor) -> Any:  # noqa: N803
    """Complex eigenvalues and vectors of square matrices.

    Raises:
        RuntimeError: for what is not square, or holds inf or nan.

    >>> rushlight.linalg.eig(rushlight.eye(1)).eigenvalues
    tensor([1.+0.j])
    """
    check_square("linalg.eig", A)
    if not bool(A.detach().isfinite().all()):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    return _result("linalg_eig", "eigenvalues eigenvectors")(*apply("Eigen", A))


@operator("linalg.eigvals(Tensor self) -> Tensor", out=True)
def eigvals(A: Tensor) -> Tensor:  # noqa: N803
    """Complex eigenvalues of square matrices.

    >>> rushlight.linalg.eigvals(rushlight.eye(1))
    tensor([1.+0.j])
    """
    return eig(A)[0]


def _full_singular(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: N803
    """U and V^H completed to square, their gradient that of the reduced part."""
    import numpy as np

    left, values, right = apply("SingularValues", A)
    found = np.linalg.svd(to_array(A), full_matrices=True)
    rest_left = to_tensor(found[0][..., left.shape[-1] :], dtype_name(A))
    rest_right = to_tensor(found[2][..., right.shape[-2] :, :], dtype_name(A))
    return rushlight.cat([left, rest_left], -1), values, rushlight.cat([right, rest_right], -2)


@operator(
    "linalg.svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    out=True,
)
def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:  # noqa: N803
    """U, falling S and V^H with U diag(S) V^H = A.

    Raises:
        RuntimeError: for what is not a matrix, or a driver, which PyTorch has on CUDA alone.

    >>> rushlight.linalg.svd(rushlight.eye(2)).S
    tensor([1., 1.])
    """
    check_matrix("linalg.svd", A)
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )
    full = full_matrices and A.shape[-1] != A.shape[-2]
    return _result("linalg_svd", "U S Vh")(*(_full_singular(A) if full else apply("SingularValues", A)))


@operator("linalg.svdvals(Tensor A, *, str? driver=None) -> Tensor", out=True)
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:  # noqa: N803
    """Singular values, falling.

    >>> rushlight.linalg.svdvals(rushlight.eye(2))
    tensor([1., 1.])
    """
    return linalg_svd(A, full_matrices=False, driver=driver)[1]


@operator(
    "svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)",
    method=True,
    out=True,
)
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """The older form of linalg.svd, which gives V.

    >>> rushlight.svd(rushlight.eye(2)).S
    tensor([1., 1.])
    """
    check_matrix("linalg.svd", input)
    triple = _result("svd", "U S V")
    if not compute_uv:
        rows, columns = input.shape[-2:]
        batch = tuple(input.shape[:-2])
        left, right = (input.new_zeros((*batch, size, size)) for size in (rows, columns))
        return triple(left, svdvals(input), right)
    left, values, right = linalg_svd(input, full_matrices=not some)
    return triple(left, values, right.mH)


def _random_range(A: Tensor, count: int, iterations: int, M: Tensor | None) -> Tensor:  # noqa: N803
    """An orthonormal basis that nearly spans A - M (Halko, Martinsson and Tropp, 2009, algorithm 4.4)."""
    matrix = A if M is None else A - M
    dtype = matrix.dtype if matrix.is_floating_point() or matrix.is_complex() else rushlight.float32
    start = rushlight.randn(A.shape[-1], count, dtype=dtype, device=A.device)
    basis = linalg_qr(matrix @ start)[0]
    for _ in range(iterations):
        basis = linalg_qr(matrix.mH @ basis)[0]
        basis = linalg_qr(matrix @ basis)[0]
    return basis


@operator("svd_lowrank(Tensor A, int? q=6, int niter=2, Tensor? M=None) -> (Tensor U, Tensor S, Tensor V)")
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:  # noqa: N803
    """U, S and V of a matrix of rank near `q`, by random projection (Halko, Martinsson and Tropp, 2009).

    >>> rushlight.svd_lowrank(rushlight.ones(3, 3), q=1)[1]
    tensor([3.])
    """
    count = 6 if q is None else q
    shifted = None if M is None else M.broadcast_to(A.shape)
    if A.shape[-2] < A.shape[-1]:
        right, values, left = svd_lowrank(A.mH, count, niter, None if shifted is None else shifted.mH)
        return left, values, right
    basis = _random_range(A, count, niter or 0, shifted)
    small = basis.mH @ (A if shifted is None else A - shifted)
    left, values, right = linalg_svd(small, full_matrices=False)
    return basis @ left, values, right.mH


@operator(
    "pca_lowrank(Tensor A, int? q=None, bool center=True, int niter=2) -> (Tensor U, Tensor S, Tensor V)"
)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:  # noqa: N803
    """The principal components of rows, by svd_lowrank of the centred matrix.

    Raises:
        ValueError: for a rank outside 0 to the smaller size, or negative iterations.

    >>> rushlight.pca_lowrank(rushlight.ones(3, 3), q=1, center=False)[1]
    tensor([3.])
    """
    smaller = min(A.shape[-2:])
    if q is None:
        q = min(6, smaller)
    elif not 0 <= q <= smaller:
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={smaller}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


# Determinants


@operator("linalg.det(Tensor A) -> Tensor", out=True)
def det(A: Tensor) -> Tensor:  # noqa: N803
    """The determinant of each matrix.

    Raises:
        RuntimeError: for what is not square.

    >>> rushlight.linalg.det(rushlight.eye(2) * 2)
    tensor(4.)
    """
    check_square("linalg.det", A)
    return apply("Determinant", A)


@operator("det(Tensor self) -> Tensor", method=True)
def older_det(input: Tensor) -> Tensor:
    """Another name of linalg.det.

    >>> rushlight.det(rushlight.eye(2) * 2)
    tensor(4.)
    """
    return det(input)


@operator("linalg.slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)", out=True)
def slogdet(A: Tensor) -> Any:  # noqa: N803
    """The sign of each determinant and the logarithm of its absolute value.

    >>> rushlight.linalg.slogdet(rushlight.eye(2)).logabsdet
    tensor(0.)
    """
    check_square("linalg.slogdet", A)
    return _result("linalg_slogdet", "sign logabsdet")(*apply("LogDeterminant", A))


@operator("slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)", method=True, out=True)
def older_slogdet(input: Tensor) -> Any:
    """Another name of linalg.slogdet.

    >>> rushlight.slogdet(rushlight.eye(2)).logabsdet
    tensor(0.)
    """
    return slogdet(input)


@operator("logdet(Tensor self) -> Tensor", method=True)
def logdet(input: Tensor) -> Tensor:
    """The logarithm of each determinant; nan for a negative real one.

    >>> rushlight.logdet(rushlight.eye(2))
    tensor(0.)
    """
    check_square("linalg.slogdet", input)
    sign, size = apply("LogDeterminant", input)
    if input.is_complex():
        return sign.log() + size
    return rushlight.where(sign == -1, float("nan"), size)


# Pseudo-inverses and least squares


def _tolerance(input: Tensor, values: Tensor, atol: Any, rtol: Any, given_absolute: bool) -> Tensor:
    largest = values.amax(-1) if values.shape[-1] else values.new_zeros(values.shape[:-1])
    if rtol is None:
        rtol = 0.0 if given_absolute else rushlight.finfo(input.dtype).eps * max(input.shape[-2:])
    absolute = 0.0 if atol is None else atol
    scaled = rtol * largest
    floor = absolute if isinstance(absolute, rushlight.Tensor) else rushlight.full_like(scaled, absolute)
    return rushlight.maximum(floor.to(scaled.dtype), scaled)


@operator(
    "linalg.pinv(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
    out=True,
)
def pinv(
    A: Tensor,  # noqa: N803
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """The Moore-Penrose inverse; singular values up to max(atol, rtol * the largest) count as zero.

    >>> rushlight.linalg.pinv(rushlight.eye(2) * 2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    check_matrix("linalg.pinv", A)
    rtol = rcond if rtol is None else rtol
    positive = atol is not None and (isinstance(atol, rushlight.Tensor) or atol > 0)
    detached = A.detach()
    if A.numel() == 0:
        return A.new_zeros((*A.shape[:-2], A.shape[-1], A.shape[-2])) + 0 * A.sum()
    if hermitian:
        check_square("linalg.pinv", A)
        values, vectors = apply("HermitianEigen", detached, "L")
        left, values, right = vectors, values, vectors.mH
    else:
        left, values, right = apply("SingularValues", detached)
    size = values.abs()
    limit = _tolerance(A, size, atol, rtol, positive).unsqueeze(-1)
    kept = rushlight.where(size > limit, 1 / values, rushlight.zeros_like(values)).to(left.dtype)
    inverse = (right.mH * kept.unsqueeze(-2)) @ left.mH
    return apply("PseudoInverse", A, inverse)


@operator("pinverse(Tensor self, float rcond=1e-15) -> Tensor", method=True)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The older form of linalg.pinv.

    >>> rushlight.pinverse(rushlight.eye(2) * 2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    return pinv(input, rtol=rcond)


@operator(
    "linalg.matrix_rank(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
    out=True,
)
def matrix_rank(
    A: Tensor,  # noqa: N803
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """How many singular values lie above max(atol, rtol * the largest).

    >>> rushlight.linalg.matrix_rank(rushlight.ones(2, 2))
    tensor(1)
    """
    check_matrix("linalg.matrix_rank", A)
    if tol is not None:
        atol, rtol = tol, 0.0
    positive = atol is not None and (isinstance(atol, rushlight.Tensor) or atol > 0)
    detached = A.detach()
    if A.numel() == 0:
        return rushlight.zeros(A.shape[:-2], dtype=rushlight.int64)
    values = eigvalsh(detached).abs() if hermitian else svdvals(detached)
    limit = _tolerance(A, values, atol, rtol, positive).unsqueeze(-1)
    return (values > limit).sum(-1)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@operator(
    "linalg.lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None)"
    " -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    out=True,
)
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:  # noqa: N803
    """The least-squares solution of A X = B, of least norm; residuals where A has more rows than its full rank.

    Raises:
        RuntimeError: for shapes that do not fit, or an unknown driver.

    >>> rushlight.linalg.lstsq(rushlight.eye(2) * 2, rushlight.ones(2, 1)).solution.tolist()
    [[0.5], [0.5]]
    """
    check_matrix("torch.linalg.lstsq", A, "input")
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    vector = _vector_right(A, B)
    right = B.unsqueeze(-1) if vector else B
    if A.shape[-2] != right.shape[-2]:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    eps = rushlight.finfo(A.dtype).eps
    limit = eps * max(A.shape[-2:]) if rcond is None else rcond
    solution = pinv(A, rtol=limit) @ right
    values = svdvals(A.detach())
    empty = values.new_empty((0,))
    rank = rushlight.zeros((0,), dtype=rushlight.int64)
    if driver != "gels":
        rank = matrix_rank(A.detach(), rtol=limit)
    residuals = (solution.real if A.is_complex() else solution).reshape(-1)[:0]
    full = driver == "gels" or (driver != "gelsy" and bool((rank == A.shape[-1]).all()))
    if A.shape[-2] > A.shape[-1] and full:
        error = (A @ solution - right).abs()
        residuals = (error * error).sum(-2)
    return _result("linalg_lstsq", "solution residuals rank singular_values")(
        solution.squeeze(-1) if vector else solution,
        residuals,
        rank,
        values if driver in ("gelsd", "gelss") else empty,
    )


# Products and powers


@operator("linalg.matrix_power(Tensor self, int n) -> Tensor", out=True)
def matrix_power(A: Tensor, n: int) -> Tensor:  # noqa: N803
    """Each matrix to an integer power, by repeated squaring; negative ones of the inverse.

    Raises:
        RuntimeError: for what is not square.

    >>> rushlight.linalg.matrix_power(rushlight.eye(2) * 2, 3).tolist()
    [[8.0, 0.0], [0.0, 8.0]]
    """
    if A.dim() < 2 or A.shape[-1] != A.shape[-2]:
        check_square("linalg.matrix_power", A)
    if n == 0:
        return A.clone().copy_(rushlight.eye(A.shape[-1], dtype=A.dtype))
    if n < 0:
        return matrix_power(inv(A), -n)
    result = None
    while n:
        if n & 1:
            result = A if result is None else result @ A
        n >>= 1
        A = A @ A if n else A
    return result.clone() if result is A else result


@operator("matrix_power(Tensor self, int n) -> Tensor", method=True, out=True)
def older_matrix_power(input: Tensor, n: int) -> Tensor:
    """Another name of linalg.matrix_power.

    >>> rushlight.matrix_power(rushlight.eye(2) * 2, 3).tolist()
    [[8.0, 0.0], [0.0, 8.0]]
    """
    return matrix_power(input, n)


@operator("linalg.matrix_exp(Tensor self) -> Tensor")
def linalg_matrix_exp(A: Tensor) -> Tensor:  # noqa: N803
    """The exponential of each matrix, by scaling, a Taylor polynomial of degree 18, and squaring.

    The polynomial and its error bound: P. Bader, S. Blanes and F. Casas, "Computing the matrix exponential with
    an optimized Taylor polynomial approximation", 2019.

    Raises:
        RuntimeError: for what is not square.

    >>> rushlight.linalg.matrix_exp(rushlight.zeros(2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if A.dim() < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"linalg.matrix_exp: A must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices"
            if A.dim() >= 2
            else "linalg.matrix_exp: The input tensor A must have at least 2 dimensions."
        )
    if A.numel() == 0:
        return A.clone()
    wide = rushlight.complex128 if A.is_complex() else rushlight.float64
    matrix = A.to(wide)
    norm = matrix.detach().abs().sum(-2).amax().item()
    squarings = 0
    while norm > 1 and squarings < 64:
        norm, squarings = norm / 2, squarings + 1
    scaled = matrix / 2**squarings
    identity = rushlight.eye(A.shape[-1], dtype=matrix.dtype)
    result = identity + scaled / 18
    for order in range(17, 0, -1):
        result = identity + scaled @ result / order
    for _ in range(squarings):
        result = result @ result
    return result.to(A.dtype)


@operator("matrix_exp(Tensor self) -> Tensor", method=True)
def matrix_exp(input: Tensor) -> Tensor:
    """Another name of linalg.matrix_exp.

    >>> rushlight.matrix_exp(rushlight.zeros(1, 1))
    tensor([[1.]])
    """
    return linalg_matrix_exp(input)


@operator("linalg.multi_dot(Tensor[] tensors) -> Tensor", out=True)
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two matrices or more in the cheapest order; the first and last may be vectors.

    The order is found by dynamic programming (Cormen et al., "Introduction to Algorithms", 2009, 15.2).

    Raises:
        RuntimeError: for fewer than two tensors, or shapes that do not fit.

    >>> rushlight.linalg.multi_dot([rushlight.eye(2), rushlight.ones(2, 1)]).tolist()
    [[1.0], [1.0]]
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    chain = list(tensors)
    row, column = chain[0].dim() == 1, chain[-1].dim() == 1
    chain[0] = chain[0].unsqueeze(0) if row else chain[0]
    chain[-1] = chain[-1].unsqueeze(-1) if column else chain[-1]
    for index, item in enumerate(chain):
        if item.dim() != 2:
            raise RuntimeError(f"multi_dot(): tensor {index} must be 2D but got {item.dim()}D")
    for index in range(len(chain) - 1):
        if chain[index].shape[1] != chain[index + 1].shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {index} and {index + 1} with shapes {list(chain[index].shape)} and "
                f"{list(chain[index + 1].shape)} cannot be multiplied"
            )
    product = _multiply(chain, _cheapest_splits(chain), 0, len(chain) - 1)
    if row:
        product = product.squeeze(0)
    return product.squeeze(-1) if column else product


def _cheapest_splits(chain: list[Tensor]) -> dict[tuple[int, int], int]:
    sizes = [item.shape[0] for item in chain] + [chain[-1].shape[1]]
    cost = {(index, index): 0 for index in range(len(chain))}
    split = {}
    for length in range(1, len(chain)):
        for start in range(len(chain) - length):
            end = start + length
            found = [
                (cost[start, cut] + cost[cut + 1, end] + sizes[start] * sizes[cut + 1] * sizes[end + 1], cut)
                for cut in range(start, end)
            ]
            cost[start, end], split[start, end] = min(found)
    return split


def _multiply(chain: list[Tensor], split: dict[tuple[int, int], int], start: int, end: int) -> Tensor:
    if start == end:
        return chain[start]
    cut = split[start, end]
    return _multiply(chain, split, start, cut) @ _multiply(chain, split, cut + 1, end)


@operator("linalg.vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor", out=True)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of conj(x) * y along a dimension.

    Raises:
        RuntimeError: for other than floating or complex inputs.

    >>> rushlight.linalg.vecdot(rushlight.ones(2), rushlight.ones(2))
    tensor(2.)
    """
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError("linalg.vecdot: Expected a floating point or complex tensor as input. Got Long")
    if x.dim() == 1 and y.dim() == 1:
        return rushlight.vdot(x, y)
    return (x.conj() * y).sum(dim)


@operator("linalg.diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)")
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:  # noqa: N803
    """A view of the diagonals of the last two dimensions.

    >>> rushlight.linalg.diagonal(rushlight.eye(2))
    tensor([1., 1.])
    """
    return A.diagonal(offset, dim1, dim2)


@operator("linalg.vander(Tensor x, *, SymInt? N=None) -> Tensor")
def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:  # noqa: N803
    """The rising powers of each element, along a new last dimension.

    Raises:
        RuntimeError: for fewer than two powers.

    >>> rushlight.linalg.vander(rushlight.tensor([2, 3])).tolist()
    [[1, 2], [1, 3]]
    """
    x = x.reshape(1) if x.dim() == 0 else x
    columns = x.shape[-1] if N is None else N
    if N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    dtype = rushlight.int64 if x.dtype == rushlight.bool else x.dtype
    x = x.to(dtype)
    rest = x.unsqueeze(-1).expand(*x.shape, columns - 1).cumprod(-1)
    return rushlight.cat([x.new_ones((*x.shape, 1)), rest], -1)


@operator("linalg.tensorinv(Tensor self, int ind=2) -> Tensor", out=True)
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:  # noqa: N803
    """The inverse of A as a map from its last dimensions to its first `ind` ones.

    Raises:
        RuntimeError: where the two sides differ in size, or the map is singular.

    >>> rushlight.linalg.tensorinv(rushlight.eye(2) * 2, ind=1).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    rows = rushlight.Size(first).numel()
    columns = rushlight.Size(last).numel()
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{columns} != {rows}"
        )
    return inv(A.reshape(rows, columns)).reshape(*last, *first)


@operator("linalg.tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor", out=True)
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:  # noqa: N803
    """X with tensordot(A, X, X.dim()) = B; `dims` of A are moved to its end first.

    Raises:
        RuntimeError: where A is not square as such a map.

    >>> rushlight.linalg.tensorsolve(rushlight.eye(2) * 2, rushlight.ones(2))
    tensor([0.5000, 0.5000])
    """
    if dims is not None:
        A = A.movedim(list(dims), list(range(-len(dims), 0)))
    shape = tuple(A.shape[B.dim() :])
    columns = rushlight.Size(shape).numel()
    if columns != B.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != {B.numel()}"
        )
    return solve(A.reshape(columns, columns), B.reshape(-1)).reshape(shape)


# Norms


def _pair(name: str, A: Tensor, dim: Any) -> tuple[int, int]:  # noqa: N803
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if A.dim() < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if len(dims) != 2:
        raise RuntimeError(f"linalg.{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    first, second = (axis % A.dim() for axis in dims)
    if first == second:
        raise RuntimeError(f"linalg.{name}: dims must be different. Got ({dims[0]}, {dims[1]})")
    return first, second


def _to(A: Tensor, dtype: Any) -> Tensor:  # noqa: N803
    return A if dtype is None else A.to(dtype)


@operator(
    "linalg.matrix_norm(Tensor self, Scalar ord, int[] dim=[-2,-1], bool keepdim=False, *,"
    " ScalarType? dtype=None) -> Tensor",
    out=True,
)
def matrix_norm(
    A: Tensor,  # noqa: N803
    ord: Any = "fro",  # noqa: A002
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """A norm of each matrix: ``fro``, ``nuc``, 2, -2, 1, -1, inf or -inf.

    Raises:
        RuntimeError: for another order, or dimensions that are not two.

    >>> rushlight.linalg.matrix_norm(rushlight.tensor([[3.0, 4.0]]))
    tensor(5.)
    """
    rows, columns = _pair("matrix_norm", A, dim)
    matrix = _to(A, dtype)
    if not (matrix.is_floating_point() or matrix.is_complex()):
        raise RuntimeError(
            "linalg.matrix_norm: Expected a floating point or complex tensor as input. Got Long"
        )
    if ord == "fro":
        return rushlight.linalg.vector_norm(matrix, 2, (rows, columns), keepdim)
    if ord == "nuc" or ord in (2, -2):
        values = svdvals(matrix.movedim((rows, columns), (-2, -1)))
        if ord == "nuc":
            result = values.sum(-1)
        else:
            result = values.amax(-1) if ord == 2 else values.amin(-1)
    elif ord in (1, -1, float("inf"), float("-inf")):
        summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = matrix.abs().sum(summed, keepdim=True)
        result = sums.amax(kept, keepdim=True) if ord > 0 else sums.amin(kept, keepdim=True)
        return result if keepdim else result.squeeze((rows, columns))
    elif isinstance(ord, str):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    else:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if keepdim:
        for axis in sorted((rows, columns)):
            result = result.unsqueeze(axis)
    return result


@operator(
    "linalg.norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None)"
    " -> Tensor",
    out=True,
)
def linalg_norm(
    A: Tensor,  # noqa: N803
    ord: Any = None,  # noqa: A002
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """A vector norm over one dimension or all, a matrix norm over two.

    >>> rushlight.linalg.norm(rushlight.tensor([3.0, 4.0]))
    tensor(5.)
    """
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is not None:
        if dims is None and A.dim() not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.dim()}D."
            )
        if dims is not None and len(dims) not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
            )
        if len(dims) == 2 if dims is not None else A.dim() == 2:
            return matrix_norm(A, ord, dims or (0, 1), keepdim, dtype=dtype)
    order = 2 if ord is None else ord
    if isinstance(order, str):
        return matrix_norm(A, order, dims or (-2, -1), keepdim, dtype=dtype)
    return rushlight.linalg.vector_norm(A, order, dims, keepdim, dtype=dtype)


@operator("linalg.cond(Tensor self, Scalar? p=None) -> Tensor", out=True)
def cond(A: Tensor, p: Any = None) -> Tensor:  # noqa: N803
    """The condition number of each matrix in a norm, the 2-norm by default; inf where it is singular.

    >>> rushlight.linalg.cond(rushlight.eye(2))
    tensor(1.)
    """
    check_matrix("linalg.cond", A)
    if p is None or p in (2, -2):
        values = svdvals(A)
        if A.numel() == 0:
            return values.new_zeros(values.shape[:-1])
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    check_square("linalg.cond", A)
    if A.numel() == 0:
        return svdvals(A).sum(-1)
    back, info = inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(back, p)
    return result.masked_fill(info != 0, float("inf"))
