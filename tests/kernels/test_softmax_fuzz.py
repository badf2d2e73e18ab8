"""Softmax, log-softmax and cross entropy against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn import functional as F

TOLERANCES = {"float64": 1e-13, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1e-2}


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


@settings(max_examples=120, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 5, 10, 16, 17, 31, 64, 200]), min_size=1, max_size=3),
    dim=st.integers(0, 2),
    log=st.booleans(),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    spread=st.sampled_from([0.1, 3.0, 40.0]),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients(
    shape: list[int], dim: int, log: bool, dtype: str, spread: float, seed: int
) -> None:
    while np.prod(shape) > 100_000:
        shape[np.argmax(shape)] //= 2
    dim %= len(shape)
    random = np.random.default_rng(seed)
    x = rushlight.from_numpy(random.standard_normal(shape) * spread)
    x = x.to(getattr(rushlight, dtype)).requires_grad_()
    g = rushlight.from_numpy(random.standard_normal(shape)).to(x.dtype)
    y = (rushlight.log_softmax if log else rushlight.softmax)(x, dim)
    y.backward(g)
    logs = log_softmax(x.detach().double().numpy(), dim)
    p, wide = np.exp(logs), g.double().numpy()
    if log:
        expected, slope = logs, wide - p * wide.sum(dim, keepdims=True)
    else:
        expected, slope = p, p * (wide - (p * wide).sum(dim, keepdims=True))
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(y.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance)
    scale = tolerance * (1 + float(np.abs(wide).sum(dim).max()))
    np.testing.assert_allclose(x.grad.double().numpy(), slope, rtol=10 * tolerance, atol=scale)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 200),
    classes=st.integers(1, 90),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    ignored=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_cross_entropy(rows: int, classes: int, reduction: str, ignored: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.standard_normal((rows, classes)).astype(np.float32) * 3
    target = random.integers(0, classes, rows)
    if ignored:
        target[random.integers(0, rows, rows // 2)] = -100
    target[0] = 0
    x = rushlight.from_numpy(values.copy()).requires_grad_()
    loss = F.cross_entropy(x, rushlight.from_numpy(target), reduction=reduction)
    loss.sum().backward()
    logs, valid = log_softmax(values.astype(np.float64), 1), target != -100
    losses = np.where(valid, -logs[np.arange(rows), target * valid], 0)
    scale = 1 / valid.sum() if reduction == "mean" else 1.0
    expected = losses if reduction == "none" else losses.sum() * scale
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    slope = np.exp(logs)
    slope[np.arange(rows), target * valid] -= 1
    np.testing.assert_allclose(x.grad.numpy(), slope * valid[:, None] * scale, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [3, 16, 40])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values(size: int, value: float) -> None:
    values = np.linspace(-1, 1, size, dtype=np.float32)
    values[size // 2] = value
    result = rushlight.softmax(rushlight.from_numpy(values), 0).numpy()
    if value == -np.inf:
        assert result[size // 2] == 0 and np.isclose(result.sum(), 1)
    else:
        assert np.isnan(result[size // 2])


@pytest.mark.parametrize(("shape", "dim"), [((2000, 100), 1), ((100, 2000), 0), ((40, 50, 60), 1)])
def test_equal_bits_for_any_number_of_threads(shape: tuple[int, ...], dim: int) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal(shape).astype(np.float32)
    before = rushlight.get_num_threads()
    results = []

    def run(function: str) -> list[Tensor]:
        x = rushlight.from_numpy(values.copy()).requires_grad_()
        y = getattr(rushlight, function)(x, dim)
        (y * y).sum().backward()
        return [y.detach(), x.grad]

    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            found = run("softmax") + run("log_softmax")
            results.append(b"".join(t.numpy().tobytes() for t in found))
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1
