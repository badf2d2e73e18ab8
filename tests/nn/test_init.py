"""Initializers against PyTorch's, number for number, and the gradient utilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch as pytorch
from torch.testing import assert_close

import rushlight
from tests.outcomes import assert_same
from tests.translation import to_pytorch

FILLS = {
    "uniform_": lambda i, x: i.uniform_(x, -1, 2),
    "normal_": lambda i, x: i.normal_(x, 1, 2),
    "trunc_normal_": lambda i, x: i.trunc_normal_(x, 0.5, 0.3, 0.0, 1.0),
    "constant_": lambda i, x: i.constant_(x, 3),
    "ones_": lambda i, x: i.ones_(x),
    "zeros_": lambda i, x: i.zeros_(x),
    "xavier_uniform_": lambda i, x: i.xavier_uniform_(x, 2),
    "xavier_normal_": lambda i, x: i.xavier_normal_(x),
    "kaiming_uniform_": lambda i, x: i.kaiming_uniform_(x, 0.1, "fan_out"),
    "kaiming_normal_": lambda i, x: i.kaiming_normal_(x, nonlinearity="relu"),
    "dirac_": lambda i, x: i.dirac_(x, 2),
    "eye_": lambda i, x: i.eye_(x[0, 0]),
    "sparse_": lambda i, x: i.sparse_(x[0, 0], 0.3),
}


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("size", [(2, 3, 2, 4), (4, 6, 5, 7)], ids=["small", "large"])
def test_fill(name: str, size: tuple[int, ...]) -> None:
    results = []
    for library in (rushlight, pytorch):
        library.manual_seed(7)
        tensor = library.zeros(size)
        filled = FILLS[name](library.nn.init, tensor)
        assert not filled.requires_grad
        results.append(tensor)
    assert_close(to_pytorch(results[0]), results[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(3, 5), (5, 3), (2, 3, 4)])
def test_orthogonal(size: tuple[int, ...]) -> None:
    filled = to_pytorch(rushlight.nn.init.orthogonal_(rushlight.empty(size))).flatten(1)
    product = filled @ filled.T if size[0] <= filled.shape[1] else filled.T @ filled
    assert_close(product, pytorch.eye(len(product)), rtol=0, atol=1e-5)


ERRORS = {
    "gain": lambda m: m.nn.init.calculate_gain("swish"),
    "slope": lambda m: m.nn.init.calculate_gain("leaky_relu", "a"),
    "mode": lambda m: m.nn.init.kaiming_uniform_(m.zeros(2, 2), mode="fan"),
    "fan of vector": lambda m: m.nn.init.xavier_uniform_(m.zeros(2)),
    "eye of vector": lambda m: m.nn.init.eye_(m.zeros(2)),
    "dirac of matrix": lambda m: m.nn.init.dirac_(m.zeros(2, 2)),
    "dirac groups": lambda m: m.nn.init.dirac_(m.zeros(3, 2, 2), 2),
    "orthogonal of vector": lambda m: m.nn.init.orthogonal_(m.zeros(2)),
    "sparse of vector": lambda m: m.nn.init.sparse_(m.zeros(2), 0.1),
    "empty": lambda m: m.nn.init.kaiming_normal_(m.zeros(0, 2)),
    "gains": lambda m: [
        m.nn.init.calculate_gain(n) for n in ("linear", "tanh", "relu", "selu", "leaky_relu")
    ],
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS.keys())
def test_error(case: Callable[[Any], Any]) -> None:
    assert_same(case)


def with_gradients(m: Any) -> list[Any]:
    parameters = [m.nn.Parameter(m.zeros(2)), m.nn.Parameter(m.zeros(3)), m.nn.Parameter(m.zeros(1))]
    parameters[0].grad = m.tensor([3.0, -4.0])
    parameters[1].grad = m.tensor([0.0, 12.0, 0.0])
    return parameters


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [1.0, 100.0])
def test_clip_grad_norm(norm_type: float, max_norm: float) -> None:
    norms, gradients = [], []
    for library in (rushlight, pytorch):
        parameters = with_gradients(library)
        norms.append(library.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type))
        gradients.append([one.grad for one in parameters[:2]])
    assert_close(to_pytorch(norms[0]), norms[1])
    assert_close(to_pytorch(gradients[0]), gradients[1])


CLIPPING = {
    "nothing": lambda m: m.nn.utils.clip_grad_norm_([], 1.0),
    "value": lambda m: (lambda p: (m.nn.utils.clip_grad_value_(p, 2.5), p[0].grad, p[1].grad))(
        with_gradients(m)
    ),
    "one tensor": lambda m: m.nn.utils.clip_grad_norm_(with_gradients(m)[0], 100.0),
    "not finite": lambda m: _clip_infinite(m),
    "vector": lambda m: (
        m.nn.utils.parameters_to_vector(m.nn.Linear(1, 1).requires_grad_(False).parameters()).shape
    ),
    "not a vector": lambda m: m.nn.utils.vector_to_parameters(3, []),
}


def _clip_infinite(m: Any) -> Any:
    parameters = with_gradients(m)
    parameters[0].grad.fill_(float("nan"))
    return m.nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("case", CLIPPING.values(), ids=CLIPPING.keys())
def test_clipping(case: Callable[[Any], Any]) -> None:
    assert_same(case)
