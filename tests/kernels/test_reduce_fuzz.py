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
    while np.prod(shape) > 100_000:  # whose sums float16 can hold
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


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 70),
    columns=st.sampled_from([1, 2, 3, 8, 15, 16, 17, 63, 65, 130, 300, 513, 1100]),
    dim=st.sampled_from([0, 1, None]),
    dtype=st.sampled_from(["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]),
    kind=st.sampled_from(["plain", "transposed", "sliced", "flipped"]),
    seed=st.integers(0, 1000),
)
def test_extremes_and_truth_are_exact(
    rows: int, columns: int, dim: int | None, dtype: str, kind: str, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(-100, 100, (rows, columns)).astype(dtype)
    x = viewed(rushlight.from_numpy(values), kind)
    wide = x.numpy()
    dims = () if dim is None else (dim,)
    assert np.array_equal(x.amax(dims).numpy(), wide.max(dim))
    assert np.array_equal(x.amin(dims).numpy(), wide.min(dim))
    assert x.argmax(dim).numpy().tolist() == wide.argmax(dim).tolist()
    assert x.argmin(dim).numpy().tolist() == wide.argmin(dim).tolist()
    assert x.any(*dims).numpy().tolist() == wide.any(dim).tolist()
    assert x.all(*dims).numpy().tolist() == wide.all(dim).tolist()
    assert rushlight.count_nonzero(x, dim).numpy().tolist() == np.count_nonzero(wide, dim).tolist()


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 5, 8, 17, 64, 65, 257, 600]), min_size=1, max_size=3),
    dim=st.integers(0, 2),
    dtype=st.sampled_from(["int8", "int32", "int64", *sorted(TOLERANCES)]),
    kind=st.sampled_from(["plain", "transposed", "sliced"]),
    seed=st.integers(0, 1000),
)
def test_scans(shape: list[int], dim: int, dtype: str, kind: str, seed: int) -> None:
    while np.prod(shape) > 100_000:
        shape[np.argmax(shape)] //= 2
    random, dim = np.random.default_rng(seed), min(dim, len(shape) - 1)
    if dtype.startswith("int"):
        x = rushlight.from_numpy(random.integers(-3, 4, tuple(shape)).astype(dtype))
    else:
        x = draw(random, tuple(shape), dtype)
    x = viewed(x, kind)
    wide = x.double().numpy()
    rounding = {"rtol": TOLERANCES.get(dtype, 0.0), "atol": 40 * TOLERANCES.get(dtype, 0.0)}
    np.testing.assert_allclose(x.cumsum(dim).double().numpy(), wide.cumsum(dim), **rounding)
    if not dtype.startswith("int"):
        small = x / 2
        expected = small.double().numpy().cumprod(dim)
        np.testing.assert_allclose(small.cumprod(dim).double().numpy(), expected, rtol=0.3, atol=1e-3)
    for running, extreme in ((x.cummax(dim), np.maximum), (x.cummin(dim), np.minimum)):
        assert np.array_equal(running[0].double().numpy(), extreme.accumulate(wide, dim))
        places = running[1].numpy()
        assert np.array_equal(np.take_along_axis(wide, places, dim), running[0].double().numpy())
        assert (places <= np.expand_dims(np.arange(x.size(dim)), tuple(range(1, x.dim() - dim)))).all()


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 3, 8, 16, 17, 70]), min_size=1, max_size=3),
    dim=st.integers(0, 2),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    spread=st.sampled_from([1.0, 50.0, 2000.0]),
    odd=st.sampled_from([None, float("inf"), float("-inf"), float("nan")]),
    seed=st.integers(0, 1000),
)
def test_running_sums_of_exponentials(
    shape: list[int], dim: int, dtype: str, spread: float, odd: float | None, seed: int
) -> None:
    random, dim = np.random.default_rng(seed), min(dim, len(shape) - 1)
    values = random.standard_normal(tuple(shape)) * spread
    if odd is not None:
        values.flat[random.integers(0, values.size, 2)] = odd
    x = rushlight.from_numpy(values).to(getattr(rushlight, dtype))
    expected = np.logaddexp.accumulate(x.double().numpy(), dim)
    result = x.logcumsumexp(dim).double().numpy()
    np.testing.assert_allclose(result, expected, rtol=2 * TOLERANCES[dtype], atol=2 * TOLERANCES[dtype])


def test_running_extremes_keep_nan_and_the_last_of_equals() -> None:
    x = rushlight.tensor([2.0, 3.0, 3.0, float("nan"), 9.0, float("nan")] + [1.0] * 30)
    values, places = x.cummax(0)
    assert values.isnan().tolist() == [False] * 3 + [True] * 33
    assert places.tolist() == [0, 1, 2, 3, 3] + [5] * 31


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
            found += [x.cumsum(0), x.cumsum(-1), x.amax(0), x.argmax(-1), x.logcumsumexp(-1)]
            found += [x.cumprod(0), x.cummax(0)[1], x.cummin(-1)[0]]
            results.append(b"".join(t.float().numpy().tobytes() for t in found))
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    ("shape", "dims"),
    [((64, 3000), 1), ((64, 40_000), 1), ((40_000, 64), 0), ((6, 40, 6000), (0, 2)), ((3, 40_000, 16), 1)],
)
@pytest.mark.parametrize("step", [1, 3])
def test_rounding_errors_grow_slowly(shape: tuple[int, ...], dims: int | tuple[int, ...], step: int) -> None:
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    total = rushlight.from_numpy(values)[..., ::step].sum(dims).numpy()
    wide = values[..., ::step].astype(np.float64)
    errors = (total - wide.sum(dims)) / np.sqrt((wide * wide).sum(dims))
    assert np.sqrt(np.mean(errors * errors)) < 2.0**-22


@settings(max_examples=120, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 4, 8, 9, 16, 33, 130, 1100]), min_size=1, max_size=3),
    dims=st.sets(st.integers(0, 2), min_size=1),
    dtype=st.sampled_from(["complex64", "complex128"]),
    kind=st.sampled_from(["plain", "transposed", "sliced", "flipped"]),
    odd=st.sampled_from([None, float("inf"), float("nan")]),
    seed=st.integers(0, 1000),
)
def test_complex_sums_and_products(
    shape: list[int], dims: set[int], dtype: str, kind: str, odd: float | None, seed: int
) -> None:
    while np.prod(shape) > 100_000:
        shape[np.argmax(shape)] //= 2
    random = np.random.default_rng(seed)
    values = np.exp(0.1j * random.standard_normal(shape)) * random.uniform(0.99, 1.01, shape)
    if odd is not None:  # in one part alone
        part = values.real if random.integers(2) else values.imag
        part.flat[random.integers(0, part.size, 2)] = odd
    x = viewed(rushlight.from_numpy(values.astype(dtype)), kind)
    axes = tuple(sorted(d for d in dims if d < x.dim())) or (0,)
    wide, rounding = x.numpy().astype(np.complex128), 1e-12 if dtype == "complex128" else 1e-5
    for part in ("real", "imag"):  # no number of one part touches the other's sum
        expected = getattr(wide, part).sum(axes)
        bound = {"rtol": rounding, "atol": rounding * np.sqrt(x.numel())}
        np.testing.assert_allclose(getattr(x.sum(axes).numpy(), part), expected, **bound)
        count = np.prod([wide.shape[d] for d in axes])
        np.testing.assert_allclose(getattr(x.mean(axes).numpy(), part), expected / count, **bound)
    with np.errstate(all="ignore"):
        expected = wide.prod(axes[0])
    product = x.prod(axes[0]).numpy()
    finite = np.isfinite(wide).all(axes[0])
    bound = 20 * rounding * np.sqrt(wide.shape[axes[0]])
    np.testing.assert_allclose(product[finite], expected[finite], rtol=bound)
    assert not np.isfinite(product[~finite]).any()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("shape", [(300_000,), (90_001, 3), (3, 90_001), (500, 20, 30), (70_000, 8)])
def test_equal_bits_of_complex_sums(shape: tuple[int, ...], dtype: str) -> None:
    random = np.random.default_rng(0)
    values = np.exp(0.1j * random.standard_normal(shape)) * (1 + random.standard_normal(shape) * 1e-3)
    x = rushlight.from_numpy(values.astype(dtype))
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            found = [x.sum(), x.mean(), x.prod(), x[..., ::3].sum()]
            found += [f(d) for d in range(x.dim()) for f in (x.sum, x.prod)]
            results.append(b"".join(t.numpy().tobytes() for t in found))
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1
