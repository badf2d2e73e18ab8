"""Full backward hooks: two nodes of the graph around `forward`, which see the gradients of its outputs and inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight import Tensor

_NO_INPUT_GRADIENT = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
    "gradients. See "
    "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for "
    "more details."
)


class BackwardHooks:
    """One call of a module under its full backward (pre-)hooks.

    `setup_inputs` wraps the call's arguments and `setup_outputs` its result. In the backward pass the outputs' node
    hands the gradients to the pre-hooks; the inputs' node hands both ends' gradients to the hooks.
    """

    def __init__(self, module: Any, hooks: Sequence[Callable], pre_hooks: Sequence[Callable]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: tuple | None = None
        self.has_input_node = False

    def setup_inputs(self, args: tuple) -> tuple:
        self.input_count = len(args)
        self.input_positions = _differentiable_positions(args)
        wrapped = _through_node(self._input_gradients, args, self.input_positions)
        self.has_input_node = wrapped is not args
        return wrapped

    def setup_outputs(self, outputs: Any) -> Any:
        is_sequence = isinstance(outputs, (tuple, list))
        values = tuple(outputs) if is_sequence else (outputs,)
        self.output_count = len(values)
        self.output_positions = _differentiable_positions(values)
        wrapped = _through_node(self._output_gradients, values, self.output_positions)
        if wrapped is values:
            return outputs
        return type(outputs)(wrapped) if is_sequence else wrapped[0]

    def _output_gradients(self, gradients: tuple) -> tuple:
        grad_outputs = _spread(gradients, self.output_positions, self.output_count)
        for hook in self.pre_hooks:
            result = hook(self.module, grad_outputs)
            if result is not None:
                grad_outputs = _checked(result, grad_outputs, "Backward pre hook", "grad_output")
        self.grad_outputs = grad_outputs
        if not self.has_input_node:
            if self.hooks:
                warnings.warn(_NO_INPUT_GRADIENT, stacklevel=2)
            self._run_hooks((None,) * self.input_count)
        return tuple(grad_outputs[position] for position in self.output_positions)

    def _input_gradients(self, gradients: tuple) -> tuple:
        grad_inputs = _spread(gradients, self.input_positions, self.input_count)
        grad_inputs = self._run_hooks(grad_inputs)
        return tuple(grad_inputs[position] for position in self.input_positions)

    def _run_hooks(self, grad_inputs: tuple) -> tuple:
        if self.grad_outputs is None:
            raise RuntimeError(
                "Module backward hook for grad_input is called before the grad_output one. This happens because the "
                "gradient in your nn.Module flows to the Module's input without passing through the Module's output. "
                "Make sure that the output depends on the input and that the loss is computed based on the output."
            )
        for hook in self.hooks:
            result = hook(self.module, grad_inputs, self.grad_outputs)
            if result is not None:
                if not self.has_input_node:
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or "
                        "None for all gradients."
                    )
                grad_inputs = _checked(result, grad_inputs, "Backward hook", "grad_input")
        self.grad_outputs = None
        return grad_inputs


def _differentiable_positions(values: tuple) -> list[int]:
    return [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]


def _spread(gradients: tuple, positions: list[int], count: int) -> tuple:
    spread: list[Tensor | None] = [None] * count
    for position, gradient in zip(positions, gradients, strict=True):
        spread[position] = gradient
    return tuple(spread)


def _checked(result: Any, expected: tuple, hook: str, what: str) -> tuple:
    result = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    if len(result) != len(expected):
        raise RuntimeError(
            f"{hook} returned an invalid number of {what}, got {len(result)}, but expected {len(expected)}"
        )
    return result


def _through_node(on_backward: Callable, values: tuple, positions: list[int]) -> tuple:
    if not positions or not rushlight.is_grad_enabled():
        return values
    passed = _observed_identity()(on_backward, *(values[position] for position in positions))
    replaced = dict(zip(positions, passed, strict=True))
    return tuple(replaced.get(i, value) for i, value in enumerate(values))


_identity: Callable | None = None


def _observed_identity() -> Callable:
    """The identity whose backward pass goes through a callback; made at first use, since few programs need it."""
    global _identity
    if _identity is None:
        from rushlight.autograd import Function

        class BackwardHookFunction(Function):
            @staticmethod
            def forward(ctx: Any, on_backward: Callable, *tensors: Tensor) -> tuple[Tensor, ...]:
                ctx.on_backward = on_backward
                ctx.set_materialize_grads(False)
                return tuple(tensor.view_as(tensor) for tensor in tensors)

            @staticmethod
            def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
                return (None, *ctx.on_backward(gradients))

        _identity = BackwardHookFunction.apply
    return _identity


def warn_silenced(error: Exception) -> None:
    warnings.warn(
        "module forward hook with ``always_call=True`` raised an exception that was silenced as another error was "
        f"raised in forward: {error}",
        stacklevel=3,
    )
