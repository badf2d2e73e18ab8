"""Reading and writing by index against float64 NumPy: shapes, layouts, types, repeats, for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64"]
NUMBERS = ["float32", "float64", "int64", "int32"]


def make(random: np.random.Generator, shape: tuple[int, ...], dtype: str, layout: str) -> Tensor:
    """Small whole numbers, of which sums are exact in every type."""
    values = random.integers(0, 2 if dtype == "bool" else 9, shape)
    kind = getattr(rushlight, dtype)
    if layout == "transposed":
        return rushlight.tensor(values.T.copy()).to(kind).permute(*reversed(range(len(shape))))
    if layout == "strided" and shape:
        return rushlight.tensor(np.repeat(values, 2, -1)).to(kind)[..., ::2]
    return rushlight.tensor(values).to(kind)


def values_of(x: Tensor) -> np.ndarray:
    return (x.to(rushlight.complex128) if x.is_complex() else x.double()).numpy()


LAYOUTS = st.sampled_from(["plain", "transposed", "strided"])
SEEDS = st.integers(0, 2**32)
SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple) | st.sampled_from(
    [(0,), (3, 0), (40_000,), (300, 200), (3, 20_000), (20_000, 1), (2, 1, 700), (4000, 8), (70, 30, 5)]
)


@given(SHAPES, LAYOUTS, st.sampled_from(DTYPES), SEEDS, st.data())
@settings(max_examples=60, deadline=None)
def test_gather_and_scatter(shape, layout, dtype, seed, data):
    random = np.random.default_rng(seed)
    dim = data.draw(st.integers(0, len(shape) - 1))
    index_shape = [data.draw(st.integers(1, size)) if 0 < size < 10 else size for size in shape]
    index_shape[dim] = data.draw(st.integers(0, 12)) if index_shape[dim] < 10 else index_shape[dim]
    if shape[dim] == 0:
        index_shape[dim] = 0
    x = make(random, shape, dtype, layout)
    index = random.integers(0, max(1, shape[dim]), index_shape)
    src = make(random, tuple(index_shape), dtype, data.draw(LAYOUTS))
    table, values = values_of(x), values_of(src)
    where = list(np.indices(index_shape))
    where[dim] = index
    np.testing.assert_array_equal(values_of(x.gather(dim, rushlight.tensor(index))), table[tuple(where)])

    def check(actual: Tensor, combine) -> None:
        expected = table.copy()
        for place, value in zip(np.stack(where).reshape(len(shape), -1).T, values.reshape(-1), strict=True):
            expected[tuple(place)] = combine(expected[tuple(place)], value)
        np.testing.assert_array_equal(values_of(actual), expected)

    if index.size > 2000:
        return
    place = rushlight.tensor(index)
    check(x.scatter(dim, place, src), lambda old, new: new)
    check(x.clone().scatter_(dim, place, src), lambda old, new: new)
    if dtype in NUMBERS:
        check(x.scatter_add(dim, place, src), lambda old, new: old + new)
        check(x.clone().scatter_add_(dim, place, src), lambda old, new: old + new)
        check(x.scatter_reduce(dim, place, src, "amax"), max)
        check(x.scatter_reduce(dim, place, src, "amin"), min)


@given(SHAPES, LAYOUTS, st.sampled_from(DTYPES), SEEDS, st.data())
@settings(max_examples=50, deadline=None)
def test_slices(shape, layout, dtype, seed, data):
    random = np.random.default_rng(seed)
    dim = data.draw(st.integers(0, len(shape) - 1))
    count = data.draw(st.integers(0, 20)) if shape[dim] else 0
    x, index = make(random, shape, dtype, layout), random.integers(0, max(1, shape[dim]), count)
    source_shape = (*shape[:dim], count, *shape[dim + 1 :])
    source = make(random, source_shape, dtype, data.draw(LAYOUTS))
    table, values, place = values_of(x), values_of(source), rushlight.tensor(index)
    np.testing.assert_array_equal(values_of(x.index_select(dim, place)), table.take(index, dim))
    key = (slice(None),) * dim
    np.testing.assert_array_equal(values_of(x[(*key, place - shape[dim])]), table.take(index, dim))
    added, copied, filled = table.copy(), table.copy(), table.copy()
    np.add.at(added, (*key, index), values)
    filled[(*key, index)] = 1
    for i, at in enumerate(index):
        copied[(*key, at)] = values[(*key, i)]
    np.testing.assert_array_equal(values_of(x.index_copy(dim, place, source)), copied)
    np.testing.assert_array_equal(values_of(x.index_fill(dim, place - shape[dim], 1)), filled)
    if dtype == "bool":
        return
    np.testing.assert_array_equal(values_of(x.index_add(dim, place, source)), added)
    indices = (*(None for _ in range(dim)), place)
    put = rushlight._C.index_put(x, [None if i is None else i for i in indices], source, accumulate=True)
    np.testing.assert_array_equal(values_of(put), added)


@given(SHAPES, LAYOUTS, st.sampled_from(DTYPES), SEEDS, st.sampled_from([0.0, 0.01, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_masks(shape, layout, dtype, seed, share):
    random = np.random.default_rng(seed)
    x, mask = make(random, shape, dtype, layout), random.random(shape) < share
    table, chosen = values_of(x), rushlight.tensor(mask)
    np.testing.assert_array_equal(values_of(x[chosen]), table[mask])
    np.testing.assert_array_equal(values_of(x.masked_select(chosen)), table[mask])
    np.testing.assert_array_equal(x.nonzero().numpy(), np.argwhere(table))
    np.testing.assert_array_equal(chosen.nonzero().numpy(), np.argwhere(mask))
    np.testing.assert_array_equal(values_of(x.masked_fill(chosen, 1)), np.where(mask, 1, table))
    source = make(random, shape, dtype, "plain")
    expected = table.copy()
    expected[mask] = values_of(source).reshape(-1)[: mask.sum()]
    np.testing.assert_array_equal(values_of(x.masked_scatter(chosen, source)), expected)


@given(st.integers(1, 30_000), st.integers(1, 50_000), st.sampled_from(["int64", "int32", "uint8"]), SEEDS)
@settings(max_examples=30, deadline=None)
def test_bincount(count, bins, dtype, seed):
    random = np.random.default_rng(seed)
    values = random.integers(0, min(bins, 256) if dtype == "uint8" else bins, count)
    weights = random.integers(0, 9, count).astype(np.float32)
    x = rushlight.tensor(values).to(getattr(rushlight, dtype))
    np.testing.assert_array_equal(x.bincount().numpy(), np.bincount(values))
    weighted = x.bincount(rushlight.tensor(weights), minlength=300)
    np.testing.assert_array_equal(weighted.numpy(), np.bincount(values, weights, 300))


def test_bits_do_not_depend_on_threads():
    random = np.random.default_rng(0)
    x = rushlight.tensor(random.standard_normal((600, 500)).astype(np.float32))
    rows = rushlight.tensor(random.integers(0, 600, (600, 500)))
    columns = rushlight.tensor(random.integers(0, 500, (600, 500)))

    def results() -> list[bytes]:
        some = [
            x.gather(0, rows),
            x.scatter_add(0, rows, x),
            x.scatter_add(1, columns, x),
            x.scatter(0, rows, x),
            x.scatter_reduce(0, rows, x, "mean"),
            x.index_add(0, rows[:, 0], x),
            x.index_put((rows, columns), x, accumulate=True),
            x.reshape(-1).scatter_add(0, rows.reshape(-1), x.reshape(-1)),
            x[x > 0],
            columns.reshape(-1).bincount(x.reshape(-1)),
        ]
        return [result.numpy().tobytes() for result in some]

    threads, found = rushlight.get_num_threads(), []
    try:
        for number in (1, 2, 3, 8):
            rushlight.set_num_threads(number)
            found.append(results())
    finally:
        rushlight.set_num_threads(threads)
    assert all(bits == found[0] for bits in found)


@pytest.mark.parametrize("position", [0, 20_000, 39_999])
def test_an_index_out_of_range_is_found(position):
    index = rushlight.zeros(40_000, dtype=rushlight.int64)
    index[position] = 7
    with pytest.raises(RuntimeError, match="index 7 is out of bounds for dimension 0 with size 5"):
        rushlight.zeros(5).gather(0, index)
    with pytest.raises(RuntimeError, match="non-negative"):
        (-index).bincount()


@given(
    st.sampled_from([(70, 512), (300, 1024), (256, 2048)]),
    st.integers(40, 400),
    st.sampled_from(["float32", "float64", "int32", "bfloat16", "uint8"]),
    SEEDS,
)
@settings(max_examples=12, deadline=None)
def test_rows_that_conflict_in_caches(shape, count, dtype, seed):
    random = np.random.default_rng(seed)
    x, source = make(random, shape, dtype, "plain"), make(random, (count, shape[1] - 3), dtype, "plain")
    index = random.integers(0, shape[0], source.shape)
    columns, place = np.broadcast_to(np.arange(source.shape[1]), source.shape), rushlight.tensor(index)
    table, added = values_of(x), values_of(x).copy()
    np.add.at(added, (index, columns), values_of(source))
    added = added % 256 if dtype == "uint8" else added
    copied = table.copy()
    copied[index, columns] = values_of(source)
    before = rushlight.get_num_threads()
    try:
        for threads in (1, 3):
            rushlight.set_num_threads(threads)
            np.testing.assert_array_equal(values_of(x.gather(0, place)), table[index, columns])
            np.testing.assert_array_equal(values_of(x.scatter(0, place, source)), copied)
            np.testing.assert_array_equal(values_of(x.scatter_add(0, place, source)), added)
    finally:
        rushlight.set_num_threads(before)
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.scatter(0, rushlight.full_like(place, shape[0]), source)
