"""Losses of differences and distances of rows against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.nn import functional as F

TOLERANCES = {"float64": 1e-12, "float32": 2e-6, "float16": 4e-3, "bfloat16": 3e-2}


def loss_and_slope(name: str, d: np.ndarray, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """A loss of differences and its derivative."""
    if name == "mse_loss":
        return d * d, 2 * d
    distance = np.abs(d)
    if name == "huber_loss":
        value = np.where(distance < bend, d * d / 2, bend * (distance - bend / 2))
        return value, np.clip(d, -bend, bend)
    value = np.where(distance < bend, d * d / (2 * bend), distance - bend / 2)
    return value, np.clip(d / bend, -1, 1)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["mse_loss", "huber_loss", "smooth_l1_loss"]),
    shape=st.sampled_from([(), (1,), (17,), (3, 33), (2, 0), (5, 7, 9)]),
    bend=st.sampled_from([0.25, 1.0, 2.0]),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    strided=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_losses(
    name: str, shape: tuple[int, ...], bend: float, dtype: str, strided: bool, threads: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    kind = getattr(rushlight, dtype)

    def draw() -> rushlight.Tensor:
        drawn = rushlight.tensor(random.standard_normal(shape), dtype=kind)
        if strided and len(shape) > 1:
            drawn = drawn.transpose(0, -1).contiguous().transpose(0, -1)
        return drawn

    x, y, grad = draw().requires_grad_(), draw().requires_grad_(), draw()
    difference = (x.detach().double() - y.detach().double()).numpy()
    value, slope = loss_and_slope(name, difference, bend)
    options = {"huber_loss": {"delta": bend}, "smooth_l1_loss": {"beta": bend}}.get(name, {})
    before = rushlight.get_num_threads()
    try:
        rushlight.set_num_threads(threads)
        found = getattr(F, name)(x, y, reduction="none", **options)
        found.backward(grad)
    finally:
        rushlight.set_num_threads(before)
    expected = slope * grad.double().numpy()
    for mine, theirs in [(found.detach(), value), (x.grad, expected), (y.grad, -expected)]:
        np.testing.assert_allclose(
            mine.double().numpy(), theirs, rtol=TOLERANCES[dtype], atol=10 * TOLERANCES[dtype]
        )


@pytest.mark.parametrize("name", ["mse_loss", "huber_loss", "smooth_l1_loss"])
def test_second_derivative_of_losses(name: str) -> None:
    rushlight.manual_seed(0)
    x = rushlight.randn(4, 3, dtype=rushlight.float64, requires_grad=True)
    y = rushlight.randn(4, 3, dtype=rushlight.float64, requires_grad=True)
    assert rushlight.autograd.gradgradcheck(lambda a, b: getattr(F, name)(a, b), (x, y))


def test_not_a_number_stays() -> None:
    x = rushlight.tensor([float("nan"), float("inf"), 1.0], requires_grad=True)
    loss = F.smooth_l1_loss(x, rushlight.zeros(3), reduction="none")
    loss.sum().backward()
    assert loss.isnan().tolist() == [True, False, False]
    assert x.grad.isnan().tolist() == [True, False, False]
    assert x.grad[1:].tolist() == [1.0, 1.0]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.tuples(st.integers(0, 60), st.integers(1, 60)),
    width=st.integers(1, 40),
    batch=st.sampled_from([(), (2,), (2, 1)]),
    p=st.sampled_from([1.0, 2.0, float("inf")]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_distances(
    rows: tuple[int, int], width: int, batch: tuple[int, ...], p: float, dtype: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    first, second = (random.standard_normal((*batch, n, width)).astype(dtype) for n in rows)
    a, b = (rushlight.tensor(array, requires_grad=True) for array in (first, second))
    found = rushlight.cdist(a, b, p=p)
    apart = first.astype("float64")[..., :, None, :] - second.astype("float64")[..., None, :, :]
    expected = np.linalg.norm(apart, p, axis=-1)
    # A product of matrices gives squares to within the precision of the rows' own squares.
    precision = np.finfo(dtype).eps * 8 * (1 + np.max([*(first**2).sum(-1).flat, *(second**2).sum(-1).flat]))
    tolerance = precision if p == 2 else precision * expected.max(initial=1)
    np.testing.assert_allclose(found.detach().numpy() ** 2, expected**2, rtol=1e-5, atol=tolerance)
    if p == 2 and dtype == "float64":
        found.sum().backward()
        slopes = apart / expected[..., None]
        np.testing.assert_allclose(a.grad.numpy(), slopes.sum(-2), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(b.grad.numpy(), -slopes.sum(-3), rtol=1e-4, atol=1e-4)


def test_equal_rows_have_no_gradient() -> None:
    rows = rushlight.ones(30, 4, requires_grad=True)
    rushlight.cdist(rows, rushlight.ones(30, 4)).sum().backward()
    assert rows.grad.tolist() == rushlight.zeros(30, 4).tolist()
