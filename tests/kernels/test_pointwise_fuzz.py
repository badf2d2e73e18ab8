"""Activations, powers and copies against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn import functional as F

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, -3.0, 1e-45, -1e-40, 1e38, -1e38, 1e-30]
SPECIAL += [math.inf, -math.inf, math.nan, 2.5, -0.3333, 16777216.0, 16777217.0, -16777215.0]

erf = np.vectorize(math.erf)
erfc = np.vectorize(math.erfc)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def normal(x: np.ndarray) -> np.ndarray:
    return erfc(-x / math.sqrt(2)) / 2


def gelu_tanh_inner(x: np.ndarray) -> np.ndarray:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


Function = tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray]]
SMOOTH: dict[str, Function] = {
    "gelu": (F.gelu, lambda x: x * normal(x)),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x * sigmoid(2 * gelu_tanh_inner(x)),
    ),
    "silu": (F.silu, lambda x: x * sigmoid(x)),
    "mish": (F.mish, lambda x: x * np.tanh(softplus(x))),
    "softplus": (F.softplus, softplus),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.expm1(x))),
    "logsigmoid": (F.logsigmoid, lambda x: -softplus(-x)),
    "sigmoid": (rushlight.sigmoid, sigmoid),
    "tanh": (rushlight.tanh, np.tanh),
    "exp2": (rushlight.exp2, np.exp2),
}


def units_in_the_last_place(result: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(result - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


@pytest.mark.parametrize("name", SMOOTH)
def test_floats_are_accurate(name: str) -> None:
    function, exact = SMOOTH[name]
    x = np.concatenate([np.linspace(-4, 12, 20_001), np.geomspace(1e-8, 1, 1000)]).astype(np.float32)
    result = function(rushlight.from_numpy(x)).double().numpy()
    # The sharp falls to the left are as good as their argument.
    worst = np.where(x < -2, 20, np.where(x < -1, 8, 4))
    assert np.all(units_in_the_last_place(result, exact(x.astype(np.float64))) <= worst)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slopes_are_differences(name: str, dtype: str) -> None:
    function, exact = SMOOTH[name]
    x = np.linspace(-30, 30, 1501).astype(dtype)
    leaf = rushlight.from_numpy(x.copy()).requires_grad_()
    function(leaf).backward(rushlight.ones_like(leaf))
    wide, step = x.astype(np.float64), 1e-5
    slope = (exact(wide + step) - exact(wide - step)) / (2 * step)
    near_kink = np.abs(wide) < 1e-3
    np.testing.assert_allclose(leaf.grad.numpy()[~near_kink], slope[~near_kink], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"exp2"}))
def test_ends_of_the_range(name: str) -> None:
    function, _ = SMOOTH[name]
    result = function(rushlight.tensor([math.nan, math.inf, 1e30, -1e30])).tolist()
    assert math.isnan(result[0])
    assert not math.isnan(result[1])
    assert not math.isnan(result[2])
    assert not math.isnan(result[3])


@settings(max_examples=100, deadline=None)
@given(
    base=st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats(width=32)), min_size=1, max_size=40),
    exponent=st.one_of(st.sampled_from(SPECIAL), st.floats(-40, 40, width=32)),
)
def test_powers(base: list[float], exponent: float) -> None:
    x = np.array(base, dtype=np.float32)
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), np.float64(np.float32(exponent)))
        expected = exact.astype(np.float32)
    results = [rushlight.from_numpy(x) ** rushlight.full((len(base),), exponent)]
    if abs(exponent) != 0.5:  # one number is taken as a square root, which -inf does not have
        results.append(rushlight.from_numpy(x) ** rushlight.tensor(exponent))
    for result in results:
        np.testing.assert_allclose(result.numpy(), expected, rtol=3e-7, atol=1e-44)


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 8, 15, 16, 17, 63, 64, 70, 129]), min_size=1, max_size=4),
    order=st.permutations([0, 1, 2, 3]),
    dtype=st.sampled_from(["bool", "int8", "int16", "float32", "float64", "complex128"]),
    step=st.sampled_from([1, 1, 2, 3]),
    flipped=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
def test_copies(
    shape: list[int], order: list[int], dtype: str, step: int, flipped: bool, threads: int
) -> None:
    while np.prod(shape) > 300_000:
        shape[np.argmax(shape)] //= 2
    axes = [d for d in order if d < len(shape)]
    values = (np.arange(np.prod(shape)) % 101).reshape(shape).astype(dtype)
    x, expected = rushlight.from_numpy(values.copy()), values
    if flipped:
        x, expected = x.flip(-1), expected[..., ::-1]
    x, expected = x.permute(axes)[..., ::step], expected.transpose(axes)[..., ::step]
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        assert np.array_equal(x.contiguous().numpy(), expected)
        target = rushlight.zeros(expected.shape[::-1], dtype=x.dtype)
        target.permute(*range(x.dim())[::-1]).copy_(x)
        assert np.array_equal(target.numpy(), expected.T)
    finally:
        rushlight.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("count", [1, 3, 100, 100_001])
def test_one_element_spread(dtype: str, count: int) -> None:
    one = rushlight.tensor(7).to(getattr(rushlight, dtype))
    assert bool((one.expand(count).clone() == 7).all())
    assert bool((rushlight.full((count,), 7, dtype=one.dtype) == 7).all())
    rows = rushlight.arange(5).to(one.dtype)[:, None].expand(5, count).contiguous()
    assert bool((rows[3] == 3).all())


def test_gradient_of_a_sum_is_spread() -> None:
    x = rushlight.ones(70_000, 3).requires_grad_()
    (x.sum() * 2).backward()
    assert x.grad.is_contiguous()
    assert bool((x.grad == 2).all())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_convert_in_runs(dtype: str) -> None:
    random = np.random.default_rng(0)
    x = rushlight.from_numpy(random.standard_normal(70_003).astype(np.float32))
    half = x.to(getattr(rushlight, dtype))
    one_by_one = rushlight.stack([v.to(half.dtype) for v in x[:40]])
    assert rushlight.equal(half[:40], one_by_one)
    assert rushlight.equal(half.float()[5:], half[5:].float())


@pytest.mark.parametrize("name", ["gelu", "mish", "softplus"])
def test_equal_bits_for_any_number_of_threads(name: str) -> None:
    function, _ = SMOOTH[name]
    x = rushlight.from_numpy(np.linspace(-9, 9, 300_006, dtype=np.float32))
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.append(function(x).numpy().tobytes() + x.view(-1, 7).t().clone().numpy().tobytes())
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1
