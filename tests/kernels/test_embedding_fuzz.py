"""Embedding and its gradient, bags of embeddings and dropout against NumPy, for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.nn import functional as F

BOUNDS = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 0.1, "float16": 0.02}


def embedding_gradient(
    rows: int, indices: np.ndarray, grad: np.ndarray, padding: int | None, by_frequency: bool
) -> np.ndarray:
    """The sum of the gradients of a row's uses, one after another."""
    table = np.zeros((rows, grad.shape[-1]))
    counts = np.bincount(indices.ravel(), minlength=rows)
    for index, row in zip(indices.ravel(), grad.reshape(indices.size, grad.shape[-1]), strict=True):
        if index != padding:
            table[index] += row / counts[index] if by_frequency else row
    return table


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    width=st.integers(0, 70),
    shape=st.lists(st.integers(0, 9), max_size=3),
    dtype=st.sampled_from(sorted(BOUNDS)),
    index_type=st.sampled_from(["int32", "int64"]),
    padding=st.booleans(),
    by_frequency=st.booleans(),
    transposed=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_embedding(
    rows: int,
    width: int,
    shape: list[int],
    dtype: str,
    index_type: str,
    padding: bool,
    by_frequency: bool,
    transposed: bool,
    threads: int,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    kind = getattr(rushlight, dtype)
    indices = random.integers(0, rows, shape)
    table = rushlight.tensor(
        random.standard_normal((width, rows) if transposed else (rows, width)), dtype=kind
    )
    table = (table.t() if transposed else table).requires_grad_()
    grad = rushlight.tensor(random.standard_normal((*shape, width)), dtype=kind)
    padding_idx = int(random.integers(0, rows)) if padding else None
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        result = F.embedding(
            rushlight.tensor(indices, dtype=getattr(rushlight, index_type)),
            table,
            padding_idx,
            scale_grad_by_freq=by_frequency,
        )
        result.backward(grad)
    finally:
        rushlight.set_num_threads(before)
    np.testing.assert_array_equal(result.detach().double().numpy(), table.detach().double().numpy()[indices])
    expected = embedding_gradient(rows, indices, grad.double().numpy(), padding_idx, by_frequency)
    bound = BOUNDS[dtype] * (1 + np.abs(expected).max(initial=0))
    np.testing.assert_allclose(table.grad.double().numpy(), expected, rtol=BOUNDS[dtype], atol=bound)


def test_same_bits_for_any_number_of_threads() -> None:
    rushlight.manual_seed(0)
    table = rushlight.randn(50, 130, requires_grad=True)
    indices, grad = rushlight.randint(0, 50, (700,)), rushlight.randn(700, 130)
    before = rushlight.get_num_threads()
    found = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        table.grad = None
        F.embedding(indices, table).backward(grad)
        found.append(table.grad.numpy())
    rushlight.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@settings(max_examples=40, deadline=None)
@given(
    mode=st.sampled_from(["sum", "mean", "max"]),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    width=st.integers(1, 20),
    padding=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_embedding_bag(
    mode: str, lengths: list[int], width: int, padding: bool, weighted: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = 12
    table = random.standard_normal((rows, width))
    indices = random.integers(0, rows, sum(lengths))
    scales = random.standard_normal(len(indices)) if weighted and mode == "sum" else None
    padding_idx = 3 if padding else None
    ends = np.cumsum(lengths)
    expected = np.zeros((len(lengths), width))
    for bag, (first, last) in enumerate(zip(ends - lengths, ends, strict=True)):
        kept = [i for i in range(first, last) if indices[i] != padding_idx]
        if kept:
            uses = table[indices[kept]] * (1 if scales is None else scales[kept, None])
            expected[bag] = getattr(uses, mode)(0)
    leaf = rushlight.tensor(table, requires_grad=True)
    result = F.embedding_bag(
        rushlight.tensor(indices),
        leaf,
        rushlight.tensor(ends - lengths),
        mode=mode,
        padding_idx=padding_idx,
        per_sample_weights=None if scales is None else rushlight.tensor(scales),
    )
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    result.sum().backward()
    assert leaf.grad.shape == leaf.shape


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="out of range"):
        F.embedding(rushlight.tensor([0, index]), rushlight.ones(5, 2))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_scales_what_it_keeps_in_both_directions(p: float) -> None:
    rushlight.manual_seed(0)
    before = rushlight.get_num_threads()
    found = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        rushlight.manual_seed(1)
        x = rushlight.ones(300, 200, requires_grad=True)
        result = F.dropout(x, p)
        result.backward(rushlight.full_like(x, 2.0))
        found.append(result.detach().numpy())
        np.testing.assert_array_equal(x.grad.numpy(), 2 * found[-1])
    rushlight.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    assert set(np.unique(found[0])) == {np.float32(0), np.float32(1 / (1 - p))}
    assert abs((found[0] == 0).mean() - p) < 0.01
