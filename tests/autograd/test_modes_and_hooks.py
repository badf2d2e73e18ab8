"""Gradient modes, hooks, custom functions, anomaly detection."""

import warnings

import pytest


def test_modes_nest(torch):
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        with torch.enable_grad():
            assert torch.is_grad_enabled()
        with torch.set_grad_enabled(True):
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_mode_survives_an_error(torch):
    with pytest.raises(ValueError):
        with torch.no_grad():
            raise ValueError
    assert torch.is_grad_enabled()


def test_decorators(torch):
    x = torch.ones(1, requires_grad=True)

    @torch.no_grad()
    def double(value):
        """Twice."""
        return value * 2

    @torch.no_grad
    def triple(value):
        return value * 3

    @torch.no_grad()
    def generate():
        yield (x * 2).requires_grad
        yield (x * 2).requires_grad

    assert not double(x).requires_grad and not triple(x).requires_grad
    assert double.__doc__ == "Twice."
    seen = []
    for value in generate():
        seen.append((value, torch.is_grad_enabled()))
    assert seen == [(False, True), (False, True)]


def test_set_grad_enabled_as_function(torch):
    try:
        torch.set_grad_enabled(False)
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    assert torch.is_grad_enabled()


def test_inference_mode(torch):
    with torch.inference_mode():
        x = torch.ones(2)
        assert x.is_inference() and torch.is_inference_mode_enabled()
        x.add_(1)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        x.add_(1)
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        w * x


def test_tensor_hook_changes_the_gradient(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    handle = y.register_hook(lambda grad: grad * 10)
    x.register_hook(lambda grad: seen.append(grad.tolist()))
    y.sum().backward()
    assert seen == [[20.0, 20.0]] and x.grad.tolist() == [20.0, 20.0]
    handle.remove()
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(1).register_hook(print)


def test_leaf_hook_sees_the_whole_gradient(torch):
    x = torch.tensor(1.0, requires_grad=True)
    seen = []
    x.register_hook(lambda grad: seen.append(grad.item()))
    (x * 2 + x * 3).backward()
    assert seen == [5.0]


def test_retain_grad(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0]
    with pytest.raises(RuntimeError, match="can't retain_grad on Tensor that has requires_grad=False"):
        torch.ones(1).retain_grad()


def test_post_accumulate_hook(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.tolist()))
    (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    assert seen == [[3.0, 3.0]]
    with pytest.raises(RuntimeError, match="cannot be registered on non-leaf tensors"):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_node_hooks(torch):
    x = torch.tensor(3.0, requires_grad=True)
    y = x * 2
    seen = []
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].item(), outputs[0].item())))
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 5,))
    y.backward()
    assert seen == [(10.0, 5.0)] and x.grad.item() == 10.0


def test_error_in_a_hook_comes_through(torch):
    x = torch.tensor(3.0, requires_grad=True)

    def fail(grad):
        raise KeyError("from the hook")

    x.register_hook(fail)
    with pytest.raises(KeyError, match="from the hook"):
        (x * 2).backward()
    assert torch.is_grad_enabled()


def cube(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.factor = factor
            return x**3 * factor

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False)
            return 3 * x**2 * ctx.factor * grad, None

    return Cube


def test_function(torch):
    x = torch.tensor(2.0, requires_grad=True)
    y = cube(torch).apply(x, 2.0)
    assert y.item() == 16.0 and type(y.grad_fn).__name__ == "CubeBackward"
    y.backward()
    assert x.grad.item() == 24.0
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_function_twice_differentiable(torch):
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(cube(torch).apply(x, 1.0), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert second.item() == 12.0


def test_function_with_two_outputs_and_an_unused_one(torch):
    class Split(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            assert second.tolist() == [0.0, 0.0]
            return first * 2 + second * 3

    x = torch.ones(2, requires_grad=True)
    first, _ = Split.apply(x)
    first.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_function_in_place(torch):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = torch.ones(2, requires_grad=True)
    y = x * 1
    z = Double.apply(y)
    assert z is y
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_once_differentiable(torch):
    from importlib import import_module

    once = import_module(f"{torch.__name__}.autograd.function").once_differentiable

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    x = torch.tensor(3.0, requires_grad=True)
    (first,) = torch.autograd.grad(Square.apply(x) * x, x, create_graph=True)
    assert first.item() == 27.0
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.backward()


def test_wrong_number_of_gradients(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = torch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="returned an incorrect number of gradients"):
        Wrong.apply(x, x).backward()


def test_setup_context_and_missing_backward(torch):
    class Shift(torch.autograd.Function):
        @staticmethod
        def forward(x, amount):
            return x + amount

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.amount = inputs[1]

    x = torch.ones(1, requires_grad=True)
    y = Shift.apply(x, 2)
    assert y.item() == 3.0
    with pytest.raises(NotImplementedError, match="You must implement either the backward or vjp"):
        y.backward()


def test_anomaly_names_the_forward_line(torch):
    x = torch.tensor(0.0, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly():
            y = torch.sqrt(x) * 0  # the culprit
            with pytest.raises(RuntimeError, match="returned nan values in its 0th output"):
                y.backward()
    texts = [str(warning.message) for warning in caught]
    assert any("Anomaly Detection has been enabled" in text for text in texts)
    assert any("the culprit" in text and "Traceback of forward call" in text for text in texts)


def test_subclass_results(torch):
    class Tagged(torch.Tensor):
        pass

    plain = torch.ones(2)
    tagged = plain.as_subclass(Tagged)
    assert type(tagged + 1) is Tagged and type(tagged.sum()) is Tagged
    assert type(plain * tagged) is Tagged
    assert type(torch.nn.Parameter(plain) + 1) is torch.Tensor


def test_torch_function_override(torch):
    class Loud(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__

    loud = torch.ones(2).as_subclass(Loud)
    assert torch.exp(loud) == "exp"
    assert torch.cat([loud, loud]) == "cat"


def test_attributes_and_weak_references(torch):
    import weakref

    x = torch.ones(2, requires_grad=True)
    x.tag = "mine"
    y = x * 2
    assert y.grad_fn.next_functions[0][0].variable.tag == "mine"
    reference = weakref.ref(x)
    assert reference() is x
    del x, y
    import gc

    gc.collect()
    assert reference() is None
