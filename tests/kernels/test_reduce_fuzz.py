"""Reductions over random shapes, views and types against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor

TOLERANCES = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}
REFERENCES = {
    "sum": np.sum,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "var": lambda x, axis: np.var(x, axis=axis, ddof=1),
}


def draw(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Tensor:
    values = random.standard_normal(shape) + 0.5
    return rushlight.from_numpy(values).to(getattr(rushlight, dtype))


def viewed(x: Tensor, kind: str) -> Tensor:
    if kind == "transposed":
        return x.transpose(0, -1)
    if kind == "sliced":
        return x[..., ::2]
    return x.flip(0) if kind == "flipped" else x


@settings(max_examples=120, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 4, 7, 16, 33, 64, 130]), min_size=1, max_size=4),
    dims=st.sets(st.integers(0, 3), min_size=1),
    name=st.sampled_from(sorted(REFERENCES)),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    kind=st.sampled_from(["plain", "transposed", "sliced", "flipped"]),
    seed=st.integers(0, 1000),
)
def test_any_dims(shape: list[int], dims: set[int], name: str, dtype: str, kind: str, seed: int) -> None:
    while np.prod(shape) > 200_000:
        shape[np.argmax(shape)] //= 2
    x = viewed(draw(np.random.default_rng(seed), tuple(shape), dtype), kind)
    axes = tuple(sorted(d for d in dims if d < x.dim())) or (0,)
    wide = x.double().numpy()
    with np.errstate(all="ignore"):
        expected = REFERENCES[name](wide, axis=axes)
        scale = np.sqrt(np.sum(wide * wide, axis=axes)) if name == "sum" else 1.0
    result = getattr(x, name)(axes).double().numpy()
    np.testing.assert_allclose(
        result, expected, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype] * np.max(scale)
    )


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 5000),
    columns=st.integers(1, 40),
    dim=st.integers(0, 1),
    dtype=st.sampled_from(["bool", "uint8", "int8", "int32", "int64"]),
    seed=st.integers(0, 1000),
)
def test_integer_sums_are_exact(rows: int, columns: int, dim: int, dtype: str, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-100, 200, (rows, columns)).astype(dtype)
    x = rushlight.from_numpy(values)
    wide = values.astype(np.int64)
    assert np.array_equal(x.sum(dim).numpy(), wide.sum(dim))
    assert x.sum().item() == wide.sum()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 3000),
    dim=st.integers(0, 1),
    nans=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_first_extreme(rows: int, columns: int, dim: int, nans: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-9, 9, (rows, columns)).astype(np.float32)
    values.flat[random.integers(0, values.size, nans)] = np.nan
    x = rushlight.from_numpy(values)
    assert np.array_equal(x.argmax(dim).numpy(), values.argmax(dim))
    assert np.array_equal(x.amin(dim).numpy(), values.min(dim), equal_nan=True)
    assert x.argmin().item() == values.argmin()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("shape", [(300_000,), (90_001, 3), (3, 90_001), (500, 20, 30), (64, 64, 64)])
def test_equal_bits_for_any_number_of_threads(shape: tuple[int, ...], dtype: str) -> None:
    x = draw(np.random.default_rng(0), shape, dtype)
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            found = [x.sum(), x.var(), x.norm()]
            found += [x.sum(d) for d in range(x.dim())] + [x.var(d) for d in range(x.dim())]
            results.append(b"".join(t.float().numpy().tobytes() for t in found))
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1
