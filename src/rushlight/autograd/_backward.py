"""Running the graph backward: `backward` and `grad`."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight import _C
from rushlight._C import Tensor

TensorOrTensors = Tensor | Sequence[Tensor]


def _tuple(tensors: TensorOrTensors | None) -> tuple[Tensor, ...]:
    if tensors is None:
        return ()
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _gradients(
    given: TensorOrTensors | Sequence[Tensor | None] | None, count: int
) -> tuple[Tensor | None, ...]:
    gradients = (None,) * count if given is None else _tuple(given)
    if len(gradients) != count:
        raise RuntimeError(f"got {count} tensors and {len(gradients)} gradients")
    for gradient in gradients:
        if gradient is not None and not isinstance(gradient, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    return gradients


def backward(
    tensors: TensorOrTensors,
    grad_tensors: TensorOrTensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: TensorOrTensors | None = None,
) -> None:
    """Add the gradients of the sum of `tensors` to the ``grad`` of the leaves, or of `inputs` alone.

    Args:
        tensors: what to differentiate, of any shape.
        grad_tensors: one gradient of each tensor's shape; may be left out for tensors of one element.
        retain_graph: keep the graph for another call; by default as `create_graph`.
        create_graph: record the gradients' own computation, for higher derivatives.
        inputs: where gradients are wanted.

    Raises:
        RuntimeError: a tensor does not require grad, has several elements and no gradient, or its graph is gone.
    """
    if inputs is not None and not isinstance(inputs, Tensor) and len(inputs) == 0:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    roots = _tuple(tensors)
    retain = create_graph if retain_graph is None else retain_graph
    _C._backward(
        roots, _gradients(grad_tensors, len(roots)), _tuple(inputs), retain, create_graph, True, True
    )


def grad(
    outputs: TensorOrTensors,
    inputs: TensorOrTensors,
    grad_outputs: TensorOrTensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`, without touching any ``grad``.

    >>> import rushlight
    >>> x = rushlight.tensor(3.0, requires_grad=True)
    >>> grad(x * x, x)
    (tensor(6.),)

    Raises:
        RuntimeError: an input does not require grad, or was not used and `allow_unused` is not set.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    if is_grads_batched:
        raise RuntimeError("grad: is_grads_batched=True is not supported")
    del only_inputs
    roots, targets = _tuple(outputs), _tuple(inputs)
    if not targets:
        raise ValueError("grad requires non-empty inputs.")
    retain = create_graph if retain_graph is None else retain_graph
    unused = materialize_grads if allow_unused is None else allow_unused
    results = _C._backward(
        roots, _gradients(grad_outputs, len(roots)), targets, retain, create_graph, False, unused
    )
    if not materialize_grads:
        return results
    return tuple(
        target.new_zeros(target.shape) if result is None else result
        for result, target in zip(results, targets)
    )
