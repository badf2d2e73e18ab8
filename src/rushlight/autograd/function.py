"""Operations with a hand-written gradient: `Function` and its context."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rushlight import _C
from rushlight._C import Tensor


class FunctionCtx:
    """What a forward pass leaves for its backward pass."""

    needs_input_grad: tuple[bool, ...] = ()
    _to_save: tuple[Tensor | None, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _non_differentiable: tuple[Tensor, ...] = ()
    _unpacked: tuple[Tensor | None, ...] | None = None
    _materialize = True
    _function: type[Function]

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs and outputs for backward, where `saved_tensors` gives them, checked for in-place changes."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {tensors.index(tensor)} is of type "
                    f"{type(tensor).__name__}"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that were saved, in their order."""
        if self._unpacked is not None:
            return self._unpacked
        return self._to_save

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs the forward pass changed in place."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs have no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients that nothing flowed into arrive as zeros (True, the default) or as None."""
        self._materialize = value

    def _backward(self, *gradients: Tensor | None) -> Any:
        return self._function.backward(self, *gradients)


class Function:
    """Base of operations with a hand-written gradient.

    >>> import rushlight
    >>> class Square(rushlight.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * grad
    >>> x = rushlight.tensor(3.0, requires_grad=True)
    >>> Square.apply(x).backward()
    >>> x.grad
    tensor(6.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future "
            "version of PyTorch."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The operation: ``forward(ctx, *args)``, or ``forward(*args)`` beside a `setup_context`."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Prepares the context after a forward pass without one."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient: one result for each argument of `forward`, None for those without."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @classmethod
    def _run_forward(cls, ctx: FunctionCtx, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if cls.setup_context is Function.setup_context:
            return cls.forward(ctx, *args, **kwargs)
        output = cls.forward(*args, **kwargs)
        cls.setup_context(ctx, args, output)
        return output

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Carry out the operation and put it on the graph."""
        if kwargs:
            import inspect

            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        ctx = _context_class(cls)()
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        recording = _C.is_grad_enabled() and any(ctx.needs_input_grad)
        previous = _C._set_grad_enabled(False)
        try:
            outputs = cls._run_forward(ctx, args, {})
        finally:
            _C._set_grad_enabled(previous)
        if not recording:
            return outputs
        return cls._record(ctx, args, outputs)

    @classmethod
    def _record(cls, ctx: FunctionCtx, args: tuple[Any, ...], outputs: Any) -> Any:
        several = isinstance(outputs, (tuple, list))
        given = tuple(outputs) if several else (outputs,)
        inputs = tuple(arg if isinstance(arg, Tensor) else None for arg in args)
        tensors = tuple(item for item in given if isinstance(item, Tensor))
        recorded = iter(
            _C._record_function(
                ctx,
                f"{cls.__name__}Backward",
                inputs,
                tensors,
                tuple(ctx._to_save),
                ctx._dirty,
                ctx._non_differentiable,
                ctx._materialize,
            )
        )
        ctx._to_save = ()
        results = tuple(next(recorded) if isinstance(item, Tensor) else item for item in given)
        return results if several else results[0]


@functools.lru_cache(maxsize=1024)
def _context_class(function: type[Function]) -> type[FunctionCtx]:
    """The class of contexts of a function: attributes of the function's class are found through them."""
    return type(f"{function.__name__}Backward", (FunctionCtx,), {"_function": function})


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward method whose own operations must not be differentiated again."""

    @functools.wraps(backward)
    def call(ctx: Any, *args: Any) -> Any:
        previous = _C._set_grad_enabled(False)
        try:
            outputs = backward(ctx, *args)
        finally:
            _C._set_grad_enabled(previous)
        tracked = any(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        if not previous or not tracked:
            return outputs
        several = isinstance(outputs, tuple)
        given = outputs if several else (outputs,)
        refused = tuple(_Refuse.apply(item) if isinstance(item, Tensor) else item for item in given)
        return refused if several else refused[0]

    return call


class _Refuse(Function):
    """Gives its input back, and an error when a gradient reaches it."""

    @classmethod
    def apply(cls, tensor: Tensor) -> Tensor:
        return super().apply(tensor.detach().requires_grad_())

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )
