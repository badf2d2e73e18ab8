"""Factorizations and solvers through NumPy's LAPACK, with gradients by formula.

Each class below is one LAPACK routine and the adjoint of its differential, written with differentiable
operators so that second derivatives follow. Sources: M. B. Giles, "Collected matrix derivative results for
forward and reverse mode algorithmic differentiation", 2008; G. H. Golub and V. Pereyra, "The differentiation
of pseudo-inverses", 1973; S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra
functions", 2010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.arrays import complex_name, dtype_name, real_name, to_array, to_tensor
from rushlight.ops.registry import type_name

if TYPE_CHECKING:
    from rushlight import Tensor

_factorizations: dict[str, Any] = {}


def apply(name: str, *args: Any) -> Any:
    """Run the differentiable routine of that name, in double precision whatever comes in.

    The classes are made at first use.
    """
    if not _factorizations:
        _define()
    single = any(isinstance(item, rushlight.Tensor) and dtype_name(item) in _WIDER for item in args)
    if not single:
        return _factorizations[name].apply(*args)
    found = _factorizations[name].apply(*(_convert(item, _WIDER) for item in args))
    if isinstance(found, tuple):
        return tuple(_convert(item, _NARROWER) for item in found)
    return _convert(found, _NARROWER)


_WIDER = {"float32": "float64", "complex64": "complex128"}
_NARROWER = {wide: narrow for narrow, wide in _WIDER.items()}


def _convert(item: Any, names: dict[str, str]) -> Any:
    if isinstance(item, rushlight.Tensor) and dtype_name(item) in names:
        return item.to(getattr(rushlight, names[dtype_name(item)]))
    return item


def check_matrix(name: str, input: Tensor, argument: str = "A") -> None:
    """PyTorch's complaints about what is not a matrix of floating point."""
    if input.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {type_name(input.dtype)}"
        )
    if input.dtype in (rushlight.bfloat16, rushlight.float16):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {type_name(input.dtype)}")


def check_square(name: str, input: Tensor, argument: str = "A") -> None:
    """The same, and that it is square."""
    check_matrix(name, input, argument)
    if input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are "
            f"{input.shape[-2]} by {input.shape[-1]} matrices"
        )


def _identity(like: Tensor) -> Tensor:
    return rushlight.eye(like.shape[-1], dtype=like.dtype)


def _gaps(values: Tensor) -> Tensor:
    """values[j] - values[i] at (i, j), one on the diagonal."""
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    return gaps + rushlight.eye(values.shape[-1], dtype=values.dtype)


def _without_diagonal(matrix: Tensor) -> Tensor:
    return matrix - rushlight.diag_embed(matrix.diagonal(0, -2, -1))


class LinAlgError(RuntimeError):
    """A matrix for which a routine of linear algebra has no answer."""


def _batched(call: Any, order: Any, array: Any, *others: Any) -> tuple[Any, Any]:
    """call(array, *others), and for each matrix zero, or where LAPACK failed its bad minor's order; it gets nan."""
    import numpy as np

    try:
        return call(array, *others), np.zeros(array.shape[:-2], dtype=np.int32)
    except np.linalg.LinAlgError:
        pass
    flat = array.reshape(-1, *array.shape[-2:])
    rest = [
        np.broadcast_to(item, array.shape[:-2] + item.shape[-2:]).reshape(-1, *item.shape[-2:])
        for item in others
    ]
    info = np.zeros(len(flat), dtype=np.int32)
    results = []
    for index, matrix in enumerate(flat):
        try:
            results.append(call(matrix, *(item[index] for item in rest)))
        except np.linalg.LinAlgError:
            info[index] = order(matrix)
            results.append(None)
    shape = (rest[0] if rest else flat).shape[1:]
    filled = [np.full(shape, np.nan, array.dtype) if item is None else item for item in results]
    return np.stack(filled).reshape(array.shape[:-2] + shape), info.reshape(array.shape[:-2])


def _first_indefinite(matrix: Any) -> int:
    """The order of the first leading minor that is not positive definite."""
    import numpy as np

    for order in range(1, matrix.shape[0]):
        try:
            np.linalg.cholesky(matrix[:order, :order])
        except np.linalg.LinAlgError:
            return order
    return matrix.shape[0]


def _first_singular(matrix: Any) -> int:
    """The order of the first pivot that is zero."""
    factors = factor_lu(matrix[None])[0][0]
    for index in range(matrix.shape[0]):
        if factors[index, index] == 0:
            return index + 1
    return matrix.shape[0]


def factor_lu(matrices: Any) -> tuple[Any, Any]:
    """LU with partial pivoting of a (batch, m, n) array: both factors in one, and the pivots, counted from one.

    Column by column (Golub and Van Loan, "Matrix Computations", 1983), since NumPy has no LU.
    """
    import numpy as np

    factors = np.array(matrices)
    batch, rows, columns = factors.shape
    each = np.arange(batch)
    pivots = np.empty((batch, min(rows, columns)), dtype=np.int32)
    for step in range(min(rows, columns)):
        below = factors[:, step:, step]
        size = np.abs(below.real) + np.abs(below.imag) if np.iscomplexobj(below) else np.abs(below)
        chosen = step + size.argmax(axis=1)
        pivots[:, step] = chosen + 1
        swapped = factors[each, chosen].copy()
        factors[each, chosen] = factors[:, step]
        factors[:, step] = swapped
        pivot = factors[:, step, step]
        safe = np.where(pivot == 0, 1, pivot)
        factors[:, step + 1 :, step] /= safe[:, None]
        factors[:, step + 1 :, step + 1 :] -= (
            factors[:, step + 1 :, step, None] * factors[:, None, step, step + 1 :]
        )
    return factors, pivots


def _define() -> None:
    import numpy as np

    class Inverse(rushlight.autograd.Function):
        """A^-1; dA^-1 = -A^-1 dA A^-1."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
            array, info = _batched(np.linalg.inv, _first_singular, to_array(matrix))
            result = to_tensor(array, dtype_name(matrix))
            state = to_tensor(info, "int32")
            ctx.save_for_backward(result)
            ctx.mark_non_differentiable(state)
            return result, state

        @staticmethod
        def backward(ctx: Any, grad: Tensor, _: Any) -> Tensor:
            (inverse,) = ctx.saved_tensors
            adjoint = inverse.mH
            return -(adjoint @ grad @ adjoint)

    class Solve(rushlight.autograd.Function):
        """X with A X = B."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
            array, info = _batched(np.linalg.solve, _first_singular, to_array(matrix), to_array(right))
            result = to_tensor(array, dtype_name(matrix))
            state = to_tensor(info, "int32")
            ctx.save_for_backward(matrix, result)
            ctx.mark_non_differentiable(state)
            return result, state

        @staticmethod
        def backward(ctx: Any, grad: Tensor, _: Any) -> Any:
            matrix, result = ctx.saved_tensors
            right = Solve.apply(matrix.mH, grad)[0]
            return -(right @ result.mH), right

    class SolveTriangular(rushlight.autograd.Function):
        """X with A X = B, of A's triangle alone, of ones on its diagonal where `unit`."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, right: Tensor, upper: bool, unit: bool) -> Tensor:
            ctx.upper, ctx.unit = upper, unit
            array = np.triu(to_array(matrix)) if upper else np.tril(to_array(matrix))
            if unit:
                size = array.shape[-1]
                array[..., np.arange(size), np.arange(size)] = 1
            if upper:
                found = np.linalg.solve(array, to_array(right))
            else:
                found = np.linalg.solve(array[..., ::-1, ::-1], to_array(right)[..., ::-1, :])[..., ::-1, :]
            result = to_tensor(found, dtype_name(matrix))
            ctx.save_for_backward(matrix, result)
            return result

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            matrix, result = ctx.saved_tensors
            right = SolveTriangular.apply(matrix.mH, grad, not ctx.upper, ctx.unit)
            whole = -(right @ result.mH)
            offset = 1 if ctx.unit else 0
            part = whole.triu(offset) if ctx.upper else whole.tril(-offset)
            return part, right, None, None

    class Cholesky(rushlight.autograd.Function):
        """The lower L with L L^H = A, from the lower triangle of A or the upper one."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, upper: bool) -> tuple[Tensor, Tensor]:
            array, info = _batched(
                np.linalg.cholesky, _first_indefinite, to_array(matrix.mH if upper else matrix)
            )
            result = to_tensor(array, dtype_name(matrix))
            state = to_tensor(info, "int32")
            ctx.save_for_backward(result)
            ctx.mark_non_differentiable(state)
            return result, state

        @staticmethod
        def backward(ctx: Any, grad: Tensor, _: Any) -> Any:
            (lower,) = ctx.saved_tensors
            phi = (lower.mH @ grad).tril()
            phi = (phi + phi.tril(-1).mH) / 2
            left = SolveTriangular.apply(lower.mH, phi, True, False)
            return SolveTriangular.apply(lower.mH, left.mH, True, False).mH, None

    class CholeskySolve(rushlight.autograd.Function):
        """X with L L^H X = B; the gradient is that of every element of L, as PyTorch gives it."""

        @staticmethod
        def forward(ctx: Any, right: Tensor, lower: Tensor) -> Tensor:
            half = SolveTriangular.apply(lower, right, False, False)
            result = SolveTriangular.apply(lower.mH, half, True, False)
            ctx.save_for_backward(lower, result)
            return result

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            lower, result = ctx.saved_tensors
            right = CholeskySolve.apply(grad, lower)
            both = right @ result.mH
            return right, -((both + both.mH) @ lower)

    class HermitianEigen(rushlight.autograd.Function):
        """Eigenvalues, rising, and vectors of a Hermitian matrix, from one triangle."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, triangle: str) -> tuple[Tensor, Tensor]:
            ctx.set_materialize_grads(False)
            values, vectors = np.linalg.eigh(to_array(matrix), UPLO=triangle)
            values = to_tensor(values, real_name(matrix))
            vectors = to_tensor(vectors, dtype_name(matrix))
            ctx.save_for_backward(values, vectors)
            return values, vectors

        @staticmethod
        def backward(ctx: Any, grad_values: Tensor, grad_vectors: Tensor) -> Any:
            values, vectors = ctx.saved_tensors
            inner = 0.0
            if grad_vectors is not None:
                inner = vectors.mH @ grad_vectors
                inner = _without_diagonal((inner - inner.mH) / 2) / _gaps(values)
            if grad_values is not None:
                inner = inner + rushlight.diag_embed(grad_values).to(vectors.dtype)
            return vectors @ inner @ vectors.mH, None

    class Eigen(rushlight.autograd.Function):
        """Complex eigenvalues and vectors of length one of any square matrix."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
            ctx.set_materialize_grads(False)
            values, vectors = np.linalg.eig(to_array(matrix))
            values = to_tensor(values, complex_name(matrix))
            vectors = to_tensor(vectors, complex_name(matrix))
            ctx.real = not matrix.is_complex()
            ctx.save_for_backward(values, vectors)
            return values, vectors

        @staticmethod
        def backward(ctx: Any, grad_values: Tensor, grad_vectors: Tensor) -> Tensor:
            values, vectors = ctx.saved_tensors
            if grad_vectors is None:
                inner = rushlight.zeros_like(vectors)
            else:
                inner = vectors.mH @ grad_vectors
            lengths = inner.diagonal(0, -2, -1).real.to(inner.dtype)
            inner = inner - (vectors.mH @ vectors) * lengths.unsqueeze(-2)
            inner = _without_diagonal(inner) / _gaps(values).conj()
            if grad_values is not None:
                inner = inner + rushlight.diag_embed(grad_values)
            result = Solve.apply(vectors.mH, inner @ vectors.mH)[0]
            return result.real if ctx.real else result

    class SingularValues(rushlight.autograd.Function):
        """The reduced U, S and V^H with U diag(S) V^H = A."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            ctx.set_materialize_grads(False)
            left, values, right = np.linalg.svd(to_array(matrix), full_matrices=False)
            name = dtype_name(matrix)
            found = to_tensor(left, name), to_tensor(values, real_name(matrix)), to_tensor(right, name)
            ctx.save_for_backward(*found)
            return found

        @staticmethod
        def backward(ctx: Any, grad_left: Tensor, grad_values: Tensor, grad_right: Tensor) -> Tensor:
            left, values, right = ctx.saved_tensors
            if grad_left is None and grad_right is None:
                return (left * grad_values.unsqueeze(-2)) @ right
            grad_left = rushlight.zeros_like(left) if grad_left is None else grad_left
            grad_right = rushlight.zeros_like(right) if grad_right is None else grad_right
            u, v = left.mH @ grad_left, right @ grad_right.mH
            squares = _gaps(values * values)
            row, column = values.unsqueeze(-2), values.unsqueeze(-1)
            inner = _without_diagonal(u - u.mH) / squares * row + column * (
                _without_diagonal(v - v.mH) / squares
            )
            if grad_values is not None:
                inner = inner + rushlight.diag_embed(grad_values).to(inner.dtype)
            if left.is_complex():
                phase = (u - u.mH).diagonal(0, -2, -1) / (2 * values)
                inner = inner + rushlight.diag_embed(phase)
            result = left @ inner @ right
            if left.shape[-2] > left.shape[-1]:
                result = result + (grad_left - left @ u) / row @ right
            if right.shape[-1] > right.shape[-2]:
                result = result + left @ ((grad_right - v.mH @ right) / column)
            return result

    class Orthogonal(rushlight.autograd.Function):
        """The reduced Q and R with Q R = A, of A at least as tall as wide."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
            factors = np.linalg.qr(to_array(matrix), mode="reduced")
            orthogonal, upper = (to_tensor(item, dtype_name(matrix)) for item in factors)
            ctx.save_for_backward(orthogonal, upper)
            return orthogonal, upper

        @staticmethod
        def backward(ctx: Any, grad_orthogonal: Tensor, grad_upper: Tensor) -> Tensor:
            orthogonal, upper = ctx.saved_tensors
            inner = (grad_upper @ upper.mH - orthogonal.mH @ grad_orthogonal).triu()
            diagonal = inner.diagonal(0, -2, -1)
            if inner.is_complex():
                diagonal = diagonal.real.to(inner.dtype)
                inner = inner + inner.mH - rushlight.diag_embed(diagonal)
            else:
                inner = inner + inner.mH - rushlight.diag_embed(diagonal)
            whole = grad_orthogonal + orthogonal @ inner
            return SolveTriangular.apply(upper, whole.mH, True, False).mH

    class Triangles(rushlight.autograd.Function):
        """Unit lower L and upper U with L U = A, of a square A that needs no pivoting, both in one."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, factors: Tensor) -> Tensor:
            result = factors.clone()
            ctx.save_for_backward(result)
            return result

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            (factors,) = ctx.saved_tensors
            lower = factors.tril(-1) + _identity(factors)
            upper = factors.triu()
            inner = (lower.mH @ grad.tril(-1)).tril(-1) + (grad.triu() @ upper.mH).triu()
            left = SolveTriangular.apply(lower.mH, inner, True, True)
            return SolveTriangular.apply(upper, left.mH, True, False).mH, None

    class Determinant(rushlight.autograd.Function):
        """det A; its gradient is the matrix of cofactors."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> Tensor:
            result = to_tensor(np.linalg.det(to_array(matrix)), dtype_name(matrix))
            ctx.save_for_backward(matrix)
            return result

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (matrix,) = ctx.saved_tensors
            return grad.unsqueeze(-1).unsqueeze(-1) * _cofactors(matrix).conj()

    class LogDeterminant(rushlight.autograd.Function):
        """The sign of det A and the logarithm of its absolute value."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
            sign, logarithm = np.linalg.slogdet(to_array(matrix))
            sign = to_tensor(sign, dtype_name(matrix))
            logarithm = to_tensor(logarithm, real_name(matrix))
            ctx.save_for_backward(matrix, sign)
            return sign, logarithm

        @staticmethod
        def backward(ctx: Any, grad_sign: Tensor, grad: Tensor) -> Tensor:
            matrix, sign = ctx.saved_tensors
            if matrix.is_complex():
                turning = (grad_sign.conj() * sign).imag
                weight = rushlight.complex(grad, -turning)
            else:
                weight = grad
            adjoint = Inverse.apply(matrix)[0].mH
            return weight.unsqueeze(-1).unsqueeze(-1) * adjoint

    class PseudoInverse(rushlight.autograd.Function):
        """The Moore-Penrose inverse for given singular triples, those of S = 0 left out."""

        @staticmethod
        def forward(ctx: Any, matrix: Tensor, inverse: Tensor) -> Tensor:
            result = inverse.clone()
            ctx.save_for_backward(matrix, result)
            return result

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            matrix, inverse = ctx.saved_tensors
            adjoint, back = inverse.mH, grad.mH
            left = back - matrix @ (inverse @ back)
            right = back - (back @ inverse) @ matrix
            whole = left @ inverse @ adjoint + adjoint @ inverse @ right - adjoint @ grad @ adjoint
            return whole, None

    found = (
        Inverse,
        Solve,
        SolveTriangular,
        Cholesky,
        CholeskySolve,
        HermitianEigen,
        Eigen,
        SingularValues,
        Orthogonal,
        Triangles,
        Determinant,
        LogDeterminant,
        PseudoInverse,
    )
    _factorizations.update((item.__name__, item) for item in found)


def _cofactors(matrix: Tensor) -> Tensor:
    """The derivative of the determinant: det(A) A^-T, or by singular values where A is singular."""
    value = apply("Determinant", matrix)
    if bool((value.detach().abs() > 1e-3).all()):
        return value.unsqueeze(-1).unsqueeze(-1) * apply("Inverse", matrix)[0].mT
    left, values, right = apply("SingularValues", matrix)
    others = []
    for skipped in range(values.shape[-1]):
        kept = [index for index in range(values.shape[-1]) if index != skipped]
        others.append(values[..., kept].prod(-1))
    products = rushlight.stack(others, -1).to(left.dtype)
    phase = apply("Determinant", left) * apply("Determinant", right)
    return phase.unsqueeze(-1).unsqueeze(-1) * ((left.conj() * products.unsqueeze(-2)) @ right.conj())
