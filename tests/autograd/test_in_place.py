"""In-place operations: histories of tensors, bases and views, version checks, refusals."""

import pytest


def test_history_is_replaced(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    y.mul_(3)
    assert y.grad_fn.name() == "MulBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_write_of_a_slice_reaches_the_base(torch):
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    base = torch.zeros(2, 2)
    base[0] = w
    base[1] = w * w
    assert type(base.grad_fn).__name__ == "CopySlices"
    base.sum().backward()
    assert w.grad.tolist() == [5.0, 7.0]


def test_view_sees_writes_to_its_base(torch):
    w = torch.ones(4, requires_grad=True)
    base = w * 1
    view = base[1:3]
    base.mul_(5)
    assert view.grad_fn.name() == "AsStridedBackward0"
    view.sum().backward()
    assert w.grad.tolist() == [0.0, 5.0, 5.0, 0.0]


def test_write_through_a_view(torch):
    w = torch.ones(2, 3, requires_grad=True)
    base = w * 1
    base.t()[0].mul_(4)
    base.sum().backward()
    assert w.grad.tolist() == [[4.0, 1.0, 1.0], [4.0, 1.0, 1.0]]


def test_write_to_leaf_is_refused(torch):
    x = torch.ones(2, requires_grad=True)
    message = "a leaf Variable that requires grad is being used in an in-place operation"
    with pytest.raises(RuntimeError, match=message):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1.0
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 2.0] and x.is_leaf


def test_changed_saved_tensor_is_noticed(torch):
    x = torch.ones(3, requires_grad=True)
    y = torch.sigmoid(x)
    y.add_(1)
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    text = str(caught.value)
    assert "has been modified by an inplace operation: [torch.FloatTensor [3]]" in text
    assert "is at version 1; expected version 0 instead" in text


def test_self_is_copied_when_its_gradient_needs_it(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    y.pow_(3)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_product_of_both(torch):
    a = torch.tensor([2.0], requires_grad=True)
    b = torch.tensor([5.0], requires_grad=True)
    y = a * 1
    y.mul_(b)
    y.backward()
    assert a.grad.item() == 5.0 and b.grad.item() == 2.0


def test_output_of_unbind_is_not_written(torch):
    x = torch.ones(2, 2, requires_grad=True)
    first, _ = (x * 1).unbind()
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        first.mul_(2)


def test_expanded_tensor_is_not_written(torch):
    x = torch.zeros(1).expand(3)
    with pytest.raises(
        RuntimeError, match="more than one element of the written-to tensor refers to a single"
    ):
        x.add_(1)


def test_shape_must_hold(torch):
    x = torch.zeros(3)
    with pytest.raises(
        RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"
    ):
        x.add_(torch.ones(2, 3))


def test_type_must_hold(torch):
    x = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        x.add_(1.5)


def test_versions_are_shared_by_views_but_not_by_data(torch):
    x = torch.zeros(3)
    view = x[1:]
    view.add_(1)
    assert x._version == view._version == 1
    x.data.add_(1)
    assert x._version == 1 and x.tolist() == [1.0, 2.0, 2.0]
    assert x.detach()._version == 1


def test_zero_and_fill(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.zero_()
    (y + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_double_backward_through_a_write(torch):
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    base = torch.zeros(2)
    base[0] = x[0] ** 3
    (first,) = torch.autograd.grad(base.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert first.tolist() == [12.0, 0.0] and second.tolist() == [12.0, 0.0]
