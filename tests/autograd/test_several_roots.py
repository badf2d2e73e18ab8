"""Gradients of several outputs of which one is computed from another output of the same operator."""

import rushlight as torch


def test_roots_that_share_a_node():
    x = torch.ones(2, 2, requires_grad=True)
    first, second = x.unbind(0)
    weights = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]
    (grad,) = torch.autograd.grad([first, second.abs()], [x], weights)
    assert grad.tolist() == [[1.0, 2.0], [3.0, 4.0]]
