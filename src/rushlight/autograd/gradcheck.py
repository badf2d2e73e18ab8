"""gradcheck and gradgradcheck: gradients against finite differences, as PyTorch checks them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import rushlight
from rushlight import Tensor


class GradcheckError(RuntimeError):
    """A gradient that does not agree with finite differences, or that breaks a rule of gradients."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` agree with central differences of step `eps`.

    The gradient of a complex input is the derivative by its real part plus i times that by its imaginary part.
    The whole Jacobian is compared, with `fast_mode` too.

    Args:
        func: takes the inputs, returns a tensor or several.
        inputs: at least one tensor that requires gradients, of double precision.
        nondet_tol: by how much two runs of backward may differ.
        check_undefined_grad: whether outputs without a gradient must be taken as zeros.
        check_grad_dtypes: whether gradients must have their inputs' dtypes.

    Raises:
        GradcheckError: where they do not agree, if `raise_exception`; else False is returned.
        ValueError: where no input requires gradients, or forward or batched modes are asked for.

    >>> x = rushlight.ones(2, dtype=rushlight.float64, requires_grad=True)
    >>> rushlight.autograd.gradcheck(rushlight.sin, x)
    True
    """
    if check_forward_ad or check_batched_grad or check_batched_forward_grad or not check_backward_ad:
        raise ValueError("gradcheck here checks backward mode alone, one gradient at a time")
    try:
        _gradcheck(func, inputs, eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the second gradients of `func` agree with central differences of the first.

    Args:
        grad_outputs: weights of the outputs, random ones by default.
        gen_non_contig_grad_outputs: whether those random weights are not contiguous.

    Raises:
        GradcheckError: where they do not agree, if `raise_exception`; else False is returned.

    >>> x = rushlight.ones(2, dtype=rushlight.float64, requires_grad=True)
    >>> rushlight.autograd.gradgradcheck(rushlight.sin, x)
    True
    """
    given = _as_tuple(inputs)
    leaves = _requiring(given)
    if grad_outputs is None:
        weights = _random_weights(_differentiable(func(*given)), gen_non_contig_grad_outputs)
    else:
        weights = _as_tuple(grad_outputs)
    count = len(weights)

    def first_gradients(*arguments: Any) -> tuple[Tensor, ...]:
        outputs = _differentiable(func(*arguments[:-count]))
        current = _requiring(arguments[:-count])
        found = rushlight.autograd.grad(
            outputs, current, arguments[-count:], create_graph=True, allow_unused=True
        )
        return tuple(item for item in found if item is not None)

    if not leaves:
        raise ValueError(_NO_INPUT)
    return gradcheck(
        first_gradients,
        given + weights,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
    )


_NO_INPUT = (
    "gradcheck expects at least one input tensor to require gradient, but none of the them have "
    "requires_grad=True."
)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Tensor):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among values, those in lists and tuples too."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def _requiring(values: Iterable[Any]) -> list[Tensor]:
    return [item for item in _tensors(values) if item.requires_grad]


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _differentiable(output: Any) -> tuple[Tensor, ...]:
    return tuple(item for item in _tensors(_as_tuple(output)) if item.requires_grad)


def _random_weights(outputs: Sequence[Tensor], non_contiguous: bool) -> tuple[Tensor, ...]:
    weights = []
    for output in outputs:
        dtype = output.dtype if _is_inexact(output) else rushlight.float64
        if non_contiguous:
            weight = rushlight.rand(*output.shape, 2, dtype=dtype)[..., 0].detach()
        else:
            weight = rushlight.rand(output.shape, dtype=dtype)
        weights.append(weight.requires_grad_(True))
    return tuple(weights)


def _gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    check_undefined: bool,
    check_dtypes: bool,
) -> None:
    given = _as_tuple(inputs)
    leaves = _check_inputs(given)
    output = func(*given)
    for index, item in enumerate(_tensors(_as_tuple(output))):
        if item.requires_grad and not _is_inexact(item):
            raise ValueError(f"Output #{index} requires gradient and is not of a floating or complex dtype")
    outputs = _differentiable(output)
    if not outputs:
        _check_constant(func, given, leaves, eps)
        return
    for index, item in enumerate(outputs):
        _check_output(func, given, leaves, index, item, eps, atol, rtol, nondet_tol)
    _check_rules(func, given, leaves, check_dtypes)
    if check_undefined:
        _check_undefined(func, given, leaves)


def _check_inputs(given: tuple[Any, ...]) -> list[Tensor]:
    leaves = _requiring(given)
    if not leaves:
        raise ValueError(_NO_INPUT)
    for index, item in enumerate(_tensors(given)):
        if not item.requires_grad:
            continue
        if item.dtype not in (rushlight.float64, rushlight.complex128):
            warnings.warn(
                f"Input #{index} requires gradient and is not a double precision floating point or complex. "
                "This check will likely fail if all the inputs are not of double precision floating point or "
                "complex. ",
                stacklevel=4,
            )
        if any(size > 1 and step == 0 for size, step in zip(item.shape, item.stride())):
            raise RuntimeError(
                f"The {index}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
    return leaves


def _values(func: Callable[..., Any], given: tuple[Any, ...], only: int | None) -> Tensor:
    """The output of that number among those that require gradients, or all, flat, apart from the graph."""
    output = func(*given)
    found = _tensors(_as_tuple(output)) if only is None else [_differentiable(output)[only]]
    flat = [item.detach().reshape(-1).clone() for item in found if _is_inexact(item)]
    return rushlight.cat(flat) if flat else rushlight.zeros(0, dtype=rushlight.float64)


def _numerical(
    func: Callable[..., Any], given: tuple[Any, ...], leaf: Tensor, only: int | None, eps: float
) -> tuple[Tensor, Tensor]:
    """Jacobians (elements of the leaf, elements of the output) of the real and the imaginary part."""
    rows_real, rows_imaginary = [], []
    for index in _indices(leaf):
        slopes = []
        for step in (eps, eps * 1j) if leaf.is_complex() else (eps,):
            slopes.append(
                (
                    _shifted(func, given, leaf, index, step, only)
                    - _shifted(func, given, leaf, index, -step, only)
                )
                / (2 * eps)
            )
        real = [item.real if item.is_complex() else item for item in slopes]
        imaginary = [item.imag if item.is_complex() else rushlight.zeros_like(item) for item in slopes]
        rows_real.append(rushlight.complex(*real) if leaf.is_complex() else real[0])
        rows_imaginary.append(rushlight.complex(*imaginary) if leaf.is_complex() else imaginary[0])
    if not rows_real:
        size = _values(func, given, only).numel()
        return leaf.new_zeros((0, size)).detach(), leaf.new_zeros((0, size)).detach()
    return rushlight.stack(rows_real), rushlight.stack(rows_imaginary)


def _indices(leaf: Tensor) -> list[tuple[int, ...]]:
    import itertools

    return list(itertools.product(*(range(size) for size in leaf.shape)))


def _shifted(
    func: Callable[..., Any],
    given: tuple[Any, ...],
    leaf: Tensor,
    index: tuple[int, ...],
    step: Any,
    only: int | None,
) -> Tensor:
    data = leaf.detach()
    before = data[index].clone()
    try:
        data[index] = before + step
        return _values(func, given, only)
    finally:
        data[index] = before


def _analytical(
    func: Callable[..., Any], given: tuple[Any, ...], leaves: list[Tensor], only: int, unit: complex
) -> list[Tensor]:
    """Jacobians of each leaf, row by row of the output, by backward of one element at a time."""
    output = _differentiable(func(*given))[only]
    columns: list[list[Tensor]] = [[] for _ in leaves]
    for index in _indices(output):
        weight = rushlight.zeros_like(output, memory_format=rushlight.contiguous_format).detach()
        weight[index] = unit
        grads = rushlight.autograd.grad(output, leaves, weight, retain_graph=True, allow_unused=True)
        for column, grad, leaf in zip(columns, grads, leaves):
            if grad is None:
                grad = rushlight.zeros_like(leaf).detach()
            if grad.shape != leaf.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            column.append(grad.detach().reshape(-1).clone())
    empty = [leaf.detach().new_zeros((leaf.numel(), 0)) for leaf in leaves]
    return [rushlight.stack(column, 1) if column else none for column, none in zip(columns, empty)]


def _check_output(
    func: Callable[..., Any],
    given: tuple[Any, ...],
    leaves: list[Tensor],
    index: int,
    output: Tensor,
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
) -> None:
    numerical = [_numerical(func, given, leaf, index, eps) for leaf in leaves]
    parts = ((0, 1.0, "real"), (1, 1j, "imaginary")) if output.is_complex() else ((0, 1.0, ""),)
    for part, unit, label in parts:
        analytical = _analytical(func, given, leaves, index, unit)
        again = _analytical(func, given, leaves, index, unit)
        for place, (mine, pair) in enumerate(zip(analytical, numerical)):
            expected = pair[part]
            if not _close(mine, expected, atol, rtol):
                raise GradcheckError(_mismatch(label, index, place, expected, mine))
        for mine, repeated in zip(analytical, again):
            if mine.numel() and float((mine - repeated).abs().max()) > nondet_tol:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple "
                    "times gives different values, although analytical gradient matches numerical gradient."
                    f"The tolerance for nondeterminism was {nondet_tol}.\n\n"
                )


def _close(mine: Tensor, expected: Tensor, atol: float, rtol: float) -> bool:
    expected = expected.to(mine.dtype)
    close = ((mine - expected).abs() <= atol + rtol * expected.abs()) | (mine == expected)
    return bool(close.all())


def _mismatch(label: str, output: int, place: int, expected: Tensor, mine: Tensor) -> str:
    prefix = f"While considering the {label} part of complex outputs only, " if label else ""
    return (
        f"{prefix}Jacobian mismatch for output {output} with respect to input {place},\n"
        f"numerical:{expected}\nanalytical:{mine}\n"
    )


def _check_constant(
    func: Callable[..., Any], given: tuple[Any, ...], leaves: list[Tensor], eps: float
) -> None:
    """Outputs that require no gradient must not depend on the inputs."""
    for leaf in leaves:
        for jacobian in _numerical(func, given, leaf, None, eps):
            if jacobian.numel() and bool((jacobian.abs() > 1e-6).any()):
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_rules(
    func: Callable[..., Any], given: tuple[Any, ...], leaves: list[Tensor], check_dtypes: bool
) -> None:
    """Gradients of zeros are zeros, of their inputs' shapes, and of their dtypes."""
    outputs = _differentiable(func(*given))
    zeros = [rushlight.zeros_like(item).detach() for item in outputs]
    grads = rushlight.autograd.grad(outputs, leaves, zeros, allow_unused=True)
    for grad, leaf in zip(grads, leaves):
        if grad is None:
            continue
        if bool((grad != 0).any()):
            raise GradcheckError("backward not multiplied by grad_output")
        if grad.shape != leaf.shape:
            raise GradcheckError("grad is incorrect size")
        if check_dtypes and grad.dtype != leaf.dtype:
            raise GradcheckError(f"grad is incorrect type {grad.dtype} where the input has {leaf.dtype}")


def _check_undefined(func: Callable[..., Any], given: tuple[Any, ...], leaves: list[Tensor]) -> None:
    """An output whose gradient is absent counts as one of zero gradient."""

    class Absent(rushlight.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *outputs: Tensor) -> Any:
            return tuple(item.clone() for item in outputs)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Any:
            return tuple(None for _ in grads)

    outputs = _differentiable(func(*given))
    absent = Absent.apply(*outputs)
    ones = [rushlight.zeros_like(item).detach() for item in outputs]
    try:
        grads = rushlight.autograd.grad(_as_tuple(absent), leaves, ones, allow_unused=True)
    except RuntimeError as error:
        raise GradcheckError(
            "Expected backward function to handle undefined output grads. Please look at 'Notes about undefined "
            "output gradients' in 'tools/autograd/derivatives.yaml'"
        ) from error
    for grad in grads:
        if grad is not None and bool((grad != 0).any()):
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are undefined or zero. "
                "Please look at 'Notes about undefined output gradients' in 'tools/autograd/derivatives.yaml'"
            )
