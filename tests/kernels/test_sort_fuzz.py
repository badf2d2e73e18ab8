"""Sorting, selection and search against NumPy: all types, layouts, lengths, ties and NaN, for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor

FLOATING = ["float32", "float64", "float16", "bfloat16"]
DTYPES = [*FLOATING, "int64", "int32", "int16", "int8", "uint8", "bool"]


@st.composite
def cases(draw) -> tuple[Tensor, int]:
    """A tensor in some layout, and a dimension. Lengths around those at which algorithms change."""
    dtype = draw(st.sampled_from(DTYPES))
    size = draw(st.integers(1, 40) | st.sampled_from([64, 255, 256, 300, 1024, 1025, 3000, 20_000]))
    lines = draw(st.integers(0, 20) if size <= 64 else st.integers(1, 10 if size <= 1024 else 2))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if dtype in FLOATING:
        values = random.standard_normal((lines, size)) * draw(st.sampled_from([0.5, 3.0, 1e4]))
        if draw(st.booleans()):
            values = np.round(values)  # ties, and zeros of both signs
        special = random.random((lines, size))
        values[special < draw(st.sampled_from([0, 0.02]))] = np.nan
        values[special > 0.99] = np.inf
        values[special > 0.995] = -np.inf
    else:
        low, high = {
            "bool": (0, 1),
            "uint8": (0, 255),
            "int8": (-128, 127),
            "int16": (-(2**15), 2**15 - 1),
        }.get(dtype, (-(2**31), 2**31 - 1))
        if draw(st.booleans()):
            low, high = max(low, -3), min(high, 3)
        values = random.integers(low, high + 1, (lines, size))
    layout = draw(st.sampled_from(["plain", "transposed", "strided"]))
    kind = getattr(rushlight, dtype)
    if layout == "transposed":
        return rushlight.tensor(values.T.copy()).to(kind), 0
    if layout == "strided":
        return rushlight.tensor(np.repeat(values, 2, 1)).to(kind)[:, ::2], 1
    return rushlight.tensor(values).to(kind), 1


def values_of(x: Tensor) -> np.ndarray:
    return x.double().numpy()


def ranks(x: np.ndarray) -> np.ndarray:
    """Integers that order as the values do, NaN greatest."""
    return np.unique(x, return_inverse=True, equal_nan=True)[1].reshape(x.shape)


@given(cases(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_sort(case, descending):
    x, dim = case
    expected = values_of(x)
    order = np.argsort(-ranks(expected) if descending else ranks(expected), dim, kind="stable")
    values, indices = x.sort(dim, descending)
    np.testing.assert_array_equal(indices.numpy(), order)
    sorted_values = np.take_along_axis(expected, order, dim)
    np.testing.assert_array_equal(values_of(values), sorted_values)
    number = ~np.isnan(sorted_values)
    np.testing.assert_array_equal(np.signbit(values_of(values))[number], np.signbit(sorted_values)[number])


@given(cases(), st.booleans(), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_topk(case, largest, share):
    x, dim = case
    expected = values_of(x)
    count = min(x.size(dim), int(share * share * (x.size(dim) + 1)))
    order = np.argsort(-ranks(expected) if largest else ranks(expected), dim, kind="stable")
    order = order.take(range(count), dim)
    values, indices = x.topk(count, dim, largest)
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_array_equal(values_of(values), np.take_along_axis(expected, order, dim))
    unordered = x.topk(count, dim, largest, sorted=False)[1].numpy()
    np.testing.assert_array_equal(np.sort(unordered, dim), np.sort(order, dim))


@given(cases(), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_one_of_each_line(case, share):
    x, dim = case
    expected = values_of(x)
    size = x.size(dim)
    order = np.argsort(ranks(expected), dim, kind="stable")
    k = int(share * (size - 1))
    np.testing.assert_array_equal(x.kthvalue(k + 1, dim).indices.numpy(), order.take(k, dim))
    for skip, found in ((False, x.median(dim)), (True, x.nanmedian(dim))):
        nans = np.isnan(expected).sum(dim)
        rank = np.where((nans > 0) & ((nans == size) | (not skip)), size - nans, (size - nans - 1) // 2)
        place = np.take_along_axis(order, np.expand_dims(rank, dim), dim)
        np.testing.assert_array_equal(found.indices.numpy(), place.squeeze(dim))


@given(cases())
@settings(max_examples=30, deadline=None)
def test_unique(case):
    x = case[0]
    if x.numel() == 0 or bool(rushlight.isnan(x).any()):
        return
    expected = np.unique(values_of(x), return_inverse=True, return_counts=True)
    for actual, wanted in zip(
        rushlight.unique(x, return_inverse=True, return_counts=True), expected, strict=True
    ):
        np.testing.assert_array_equal(values_of(actual), wanted.reshape(actual.shape))
    np.testing.assert_array_equal(values_of(rushlight.unique(x)), expected[0])


@given(cases(), st.integers(0, 300), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_search(case, count, right, seed):
    x, dim = case
    lines = x.transpose(0, 1) if dim == 0 else x
    if bool(rushlight.isnan(lines).any()):
        return
    random = np.random.default_rng(seed)
    queries = lines.gather(1, rushlight.tensor(random.integers(0, lines.size(1), (lines.size(0), count))))
    order = lines.argsort(1)
    found = rushlight.searchsorted(lines.sort(1).values.contiguous(), queries, right=right).numpy()
    by_order = rushlight.searchsorted(lines.contiguous(), queries, right=right, sorter=order).numpy()
    for line in range(lines.size(0)):
        wanted = np.searchsorted(
            np.sort(values_of(lines[line])), values_of(queries[line]), side="right" if right else "left"
        )
        np.testing.assert_array_equal(found[line], wanted)
        np.testing.assert_array_equal(by_order[line], wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_long_lines_on_any_number_of_threads(dtype):
    random = np.random.default_rng(0)
    values = random.integers(0, 200, 400_000) * (1 if dtype == "uint8" else 0.25 * 10**9)
    x = rushlight.tensor(values).to(getattr(rushlight, dtype))
    order = np.argsort(values, kind="stable")
    threads = rushlight.get_num_threads()
    try:
        for number in (1, 2, 3, 8):
            rushlight.set_num_threads(number)
            np.testing.assert_array_equal(x.sort().indices.numpy(), order)
            np.testing.assert_array_equal(x.topk(100_000, largest=False).indices.numpy(), order[:100_000])
            assert x.kthvalue(123_456).indices.item() == order[123_455]
            np.testing.assert_array_equal(
                x.reshape(8, 50_000).sort().indices.numpy(),
                np.argsort(values.reshape(8, -1), kind="stable"),
            )
    finally:
        rushlight.set_num_threads(threads)
