"""gradcheck and gradgradcheck: right gradients pass, wrong ones are told in PyTorch's words."""

import pytest
import rushlight as torch
from rushlight.autograd import Function, gradcheck, gradgradcheck
from rushlight.autograd.gradcheck import GradcheckError


class ScaledSine(Function):
    """sin(x) whose gradient is off by one percent."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x.cos() * 1.01


class Additive(Function):
    """A gradient that does not depend on the one that comes in."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        return torch.ones_like(grad)


def real(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def complex_(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=torch.complex128, requires_grad=True)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (torch.sin, real(3)),
        (lambda x: (x.exp(), x @ x.mT), real(2, 3)),
        (lambda x, y: x * y, (real(2, 1), real(3))),
        (lambda z: z * z, complex_(2)),
        (lambda z: z.abs(), complex_(2)),
        (lambda x: torch.complex(x, 2 * x), real(2)),
        (lambda x: x.sum(), real(0)),
    ],
)
def test_right_gradients_pass(function, inputs):
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_a_wrong_gradient_is_told():
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(ScaledSine.apply, real(3))
    assert not gradcheck(ScaledSine.apply, real(3), raise_exception=False)


def test_a_wrong_gradient_of_a_complex_output_is_told():
    with pytest.raises(GradcheckError, match="While considering the real part of complex outputs only"):
        gradcheck(ScaledSine.apply, complex_(2))


def test_a_gradient_must_be_multiplied_by_the_one_that_comes_in():
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(Additive.apply, real(1))


def test_an_output_without_gradient_must_be_constant():
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, real(2))


def test_an_input_must_require_gradients():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, torch.ones(2, dtype=torch.float64))


def test_single_precision_is_warned_of():
    x = torch.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="not a double precision floating point or complex"):
        gradcheck(lambda x: x * 2, x, raise_exception=False)


def test_a_real_input_among_complex_ones_gets_no_warning(recwarn):
    assert gradgradcheck(lambda x, z: x * z, (real(2), complex_(2)))
    assert not recwarn
