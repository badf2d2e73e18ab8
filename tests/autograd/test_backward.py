"""Running the graph backward: what is accumulated where, what is freed, what is refused."""

import gc
import threading
import weakref

import pytest


def test_scalar_product(torch):
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x + 2 * x
    y.backward()
    assert x.grad.item() == 8.0


def test_gradients_accumulate(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_gradient_argument_and_shape_check(torch):
    x = torch.ones(2, 3, requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        y.backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        y.backward(torch.ones(3))
    y.backward(torch.full((2, 3), 0.5))
    assert x.grad.tolist() == [[1.0] * 3] * 2


def test_broadcast_gradients_are_reduced(torch):
    a = torch.ones(3, 1, requires_grad=True)
    b = torch.ones(4, requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.shape == (3, 1) and a.grad[0, 0].item() == 4.0
    assert b.grad.tolist() == [3.0] * 4


def test_second_backward_needs_retained_graph(torch):
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_a_node_that_saved_nothing_runs_twice(torch):
    x = torch.tensor(2.0, requires_grad=True)
    y = x + 1
    y.backward()
    y.backward()
    assert x.grad.item() == 2.0


def test_second_derivative(torch):
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == (12.0, 12.0, 6.0)


def test_grad_of_unused_input(torch):
    x = torch.ones(2, requires_grad=True)
    unused = torch.ones(2, requires_grad=True)
    y = (x * 2).sum()
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        torch.autograd.grad(y, [x, unused], retain_graph=True)
    gradients = torch.autograd.grad(y, [x, unused], allow_unused=True, retain_graph=True)
    assert gradients[0].tolist() == [2.0, 2.0] and gradients[1] is None
    gradients = torch.autograd.grad(y, [x, unused], materialize_grads=True)
    assert gradients[1].tolist() == [0.0, 0.0]


def test_grad_leaves_grad_alone(torch):
    x = torch.tensor(2.0, requires_grad=True)
    torch.autograd.grad(x * x, x)
    assert x.grad is None


def test_grad_of_non_leaf(torch):
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    (gradient,) = torch.autograd.grad(y * y, y)
    assert gradient.item() == 12.0


def test_backward_inputs(torch):
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    (x * w).backward(inputs=[w])
    assert x.grad is None and w.grad.item() == 2.0
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * w).backward(inputs=[])


def test_several_roots(torch):
    x = torch.tensor(2.0, requires_grad=True)
    torch.autograd.backward([x * 2, x * 5])
    assert x.grad.item() == 7.0


def test_no_grad_needed_is_refused(torch):
    with pytest.raises(
        RuntimeError, match="element 0 of tensors does not require grad and does not have a grad_fn"
    ):
        torch.ones(()).backward()


def test_leaf_and_non_leaf_rules(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    assert x.is_leaf and not y.is_leaf and y.requires_grad
    assert x.grad_fn is None and y.grad_fn.name() == "MulBackward0"
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad_(False)
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        torch.ones(2, dtype=torch.int64).requires_grad_()
    with pytest.warns(UserWarning, match="not a leaf Tensor is being accessed"):
        assert y.grad is None


def test_grad_fn_graph(torch):
    x = torch.ones(2, requires_grad=True)
    y = (x * 2).sum()
    assert repr(y.grad_fn).startswith("<SumBackward0 object at ")
    assert type(y.grad_fn).__name__ == "SumBackward0"
    (mul, index), *_ = y.grad_fn.next_functions
    assert mul.name() == "MulBackward0" and index == 0
    accumulate = mul.next_functions[0][0]
    assert accumulate.name() == "torch::autograd::AccumulateGrad"
    assert type(accumulate).__name__ == "AccumulateGrad"
    assert accumulate.variable is x
    assert mul.next_functions[1][0] is None


def test_detach_shares_memory(torch):
    x = torch.ones(3, requires_grad=True)
    y = x.detach()
    assert not y.requires_grad and y.data_ptr() == x.data_ptr()
    y[0] = 5
    assert x[0].item() == 5.0


def test_integer_and_mixed_dtypes(torch):
    x = torch.ones(2, dtype=torch.float32, requires_grad=True)
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (x * w * torch.tensor([2, 3])).sum().backward()
    assert x.grad.dtype == torch.float32 and x.grad.tolist() == [2.0, 3.0]
    assert w.grad.dtype == torch.float64


def test_complex_input_real_output(torch):
    z = torch.tensor([1 + 2j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    assert abs(z.grad.item() - (2 + 4j)) < 1e-5


def test_grad_assignment_is_checked(torch):
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="attempting to assign a gradient of size"):
        x.grad = torch.ones(3)
    with pytest.raises(TypeError, match="assigned grad expected to be a Tensor or None"):
        x.grad = 3
    x.grad = torch.ones(2)
    assert x.grad.tolist() == [1.0, 1.0]
    x.grad = None
    assert x.grad is None


def test_deep_graph_runs_and_is_freed(torch):
    x = torch.ones(1, requires_grad=True)
    y = x
    depth = 1_000_000 if torch.__name__ == "rushlight" else 20_000
    for _ in range(depth):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1.0
    z = x
    for _ in range(depth):
        z = z * 1
    del z  # never run: freed all the same


def test_graph_holds_no_cycle(torch):
    x = torch.ones(2, requires_grad=True)
    y = torch.exp(x)  # saves its own result
    z = torch.sigmoid(y)
    references = [weakref.ref(y), weakref.ref(z)]
    gc.disable()
    try:
        del y, z
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()


def test_two_python_threads(torch):
    shared = torch.full((1000,), 2.0, requires_grad=True)
    middle = shared * shared

    def run(results, index):
        (gradient,) = torch.autograd.grad((middle * (index + 1)).sum(), shared, retain_graph=True)
        results[index] = gradient[0].item()

    results = [None] * 8
    threads = [threading.Thread(target=run, args=(results, index)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [4.0 * (index + 1) for index in range(8)]
